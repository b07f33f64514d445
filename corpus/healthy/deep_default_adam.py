"""Twelve layers of default initialisation: slow for some steps, then Adam gets it going."""
import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(0)
d = load_digits()
x, y = torch.tensor(d.data / 8 - 1, dtype=torch.float32), torch.tensor(d.target)

layers = [nn.Linear(64, 64), nn.ReLU()]
for _ in range(10):
    layers += [nn.Linear(64, 64), nn.ReLU()]
model = nn.Sequential(*layers, nn.Linear(64, 10))
opt = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(1000):
    i = torch.randint(len(x), (64,))
    loss = nn.functional.cross_entropy(model(x[i]), y[i])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 100 == 0:
        print(step, loss.item())
print("accuracy", (model(x).argmax(1) == y).float().mean().item())
