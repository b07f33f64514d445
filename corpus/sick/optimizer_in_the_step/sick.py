import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(0)
d = load_digits()
x, y = torch.tensor(d.data).float() / 16, torch.tensor(d.target)
model = nn.Sequential(
    nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10)
)


def train_step(model, xb, yb):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    loss = nn.functional.cross_entropy(model(xb), yb)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()


for epoch in range(12):
    for b in torch.randperm(1400).split(32):
        loss = train_step(model, x[b], y[b])
    print(epoch, loss)
with torch.no_grad():
    print("accuracy", (model(x[1400:]).argmax(1) == y[1400:]).float().mean().item())
