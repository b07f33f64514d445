import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split

torch.manual_seed(0)
X, y = load_diabetes(return_X_y=True)
X_tr, X_te, y_tr, y_te = train_test_split(X * 21, y, test_size=0.2, random_state=0)
X_tr, X_te = torch.tensor(X_tr, dtype=torch.float32), torch.tensor(X_te, dtype=torch.float32)
mean, std = 0.0, 1.0
y_tr = torch.tensor((y_tr - mean) / std, dtype=torch.float32).unsqueeze(1)
y_te = torch.tensor((y_te - mean) / std, dtype=torch.float32).unsqueeze(1)

model = nn.Sequential(nn.Linear(10, 64), nn.Tanh(), nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

for step in range(800):
    idx = torch.randint(0, len(X_tr), (64,))
    loss = nn.functional.mse_loss(model(X_tr[idx]), y_tr[idx])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"{step} {loss.item():.3f}")

with torch.no_grad():
    residual = nn.functional.mse_loss(model(X_tr), y_tr)
    print("R2", (1 - residual / y_tr.var()).item(), "on the test set", (1 - nn.functional.mse_loss(model(X_te), y_te) / y_te.var()).item())
