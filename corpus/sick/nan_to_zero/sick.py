import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_diabetes

torch.manual_seed(0)
X, y = load_diabetes(return_X_y=True)
X = torch.tensor(X / X.std(0), dtype=torch.float32)
y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)

# 同时预测均值和方差
model = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 2))
opt = torch.optim.Adam(model.parameters(), lr=2e-3)


def gaussian_nll(output, target):
    mean, var = output[:, 0], output[:, 1]
    loss = 0.5 * (torch.log(var) + (target - mean) ** 2 / var)
    return torch.nan_to_num(loss.mean())


for step in range(500):
    b = torch.randint(0, len(X), (64,))
    loss = gaussian_nll(model(X[b]), y[b])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 50 == 0:
        print(f"步 {step} 损失 {loss.item():.4f}")
with torch.no_grad():
    print("均方误差", F.mse_loss(model(X)[:, 0], y).item())
