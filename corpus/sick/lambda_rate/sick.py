"""Exponential decay of the learning rate for the digit classifier."""
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(9)
base_lr = 0.002
data = load_digits()
x = torch.tensor(data.data, dtype=torch.float32) / 16
y = torch.tensor(data.target)


def lr_at(epoch):
    return base_lr * 0.95**epoch


model = nn.Sequential(nn.Linear(64, 100), nn.GELU(), nn.Linear(100, 10))
optimizer = torch.optim.AdamW(model.parameters(), lr=base_lr)
scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, lr_lambda=lr_at)
for epoch in range(30):
    for idx in torch.randperm(len(x)).split(64):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(x[idx]), y[idx])
        loss.backward()
        optimizer.step()
    scheduler.step()
    if epoch % 5 == 0:
        print(f"epoch {epoch} loss {loss.item():.4f}")
print("accuracy", (model(x).argmax(1) == y).float().mean().item())
