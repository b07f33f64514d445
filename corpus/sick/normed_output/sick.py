import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_diabetes

torch.manual_seed(4)


class Regressor(nn.Module):
    def __init__(self, inputs):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(inputs, 64),
            nn.LayerNorm(64),
            nn.ReLU(),
            nn.Linear(64, 32),
            nn.LayerNorm(32),
            nn.ReLU(),
            nn.Linear(32, 1),
            nn.LayerNorm(1),
        )

    def forward(self, x):
        return self.net(x).squeeze(-1)


X, y = load_diabetes(return_X_y=True, scaled=True)
X = torch.tensor(X * 21, dtype=torch.float32)  # unit variance
y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)

model = Regressor(X.shape[1])
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(600):
    pick = torch.randperm(len(X))[:64]
    loss = F.mse_loss(model(X[pick]), y[pick])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"{step:5d} mse {loss.item():.4f}")
with torch.no_grad():
    print("train mse", F.mse_loss(model(X), y).item())
