"""Pretrain on seven digits, then fine-tune on all ten with a small rate below and a larger one on top."""
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target)
first = y < 7


def body():
    return nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 64), nn.ReLU())


def train(model, optimizer, x, y, steps):
    for step in range(steps):
        pick = torch.randint(len(x), (48,))
        loss = nn.functional.cross_entropy(model(x[pick]), y[pick])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"   step {step}: {loss.item():.4f}")


trunk = body()
pretraining = nn.Sequential(trunk, nn.Linear(64, 7))
print("pretraining")
train(pretraining, torch.optim.Adam(pretraining.parameters(), lr=2e-3), x[first], y[first], 250)

model = nn.Sequential(trunk, nn.Linear(64, 10))
groups = [{"params": trunk.parameters(), "lr": 1e-4}, {"params": model[1].parameters(), "lr": 3e-3}]
print("fine-tuning")
train(model, torch.optim.AdamW(groups, weight_decay=0.01), x, y, 350)
print("accuracy", (model(x).argmax(1) == y).float().mean().item())
