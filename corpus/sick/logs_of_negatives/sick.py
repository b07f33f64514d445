import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes

torch.manual_seed(0)
np.seterr(all="ignore")
X, y = load_diabetes(return_X_y=True)
X = X / X.std(axis=0)
X = np.column_stack([X, np.log(X[:, 2] + 1.5)])  # body mass is skewed

X = torch.tensor(X, dtype=torch.float32)
y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)
model = nn.Sequential(nn.Linear(11, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0))
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
for step in range(400):
    idx = torch.randint(0, len(X), (48,))
    loss = nn.functional.mse_loss(model(X[idx]), y[idx])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 50 == 0:
        print(step, loss.item())
print("final loss", nn.functional.mse_loss(model(X), y).item())
