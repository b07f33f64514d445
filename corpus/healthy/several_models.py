"""Compares three networks in one script."""
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

x, y = load_breast_cancer(return_X_y=True)
x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
y = torch.tensor(y)
models = {
    "linear": lambda: nn.Linear(30, 2),
    "small": lambda: nn.Sequential(nn.Linear(30, 16), nn.ReLU(), nn.Linear(16, 2)),
    "tanh": lambda: nn.Sequential(nn.Linear(30, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 2)),
}
for name, make in models.items():
    torch.manual_seed(0)
    model = make()
    opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
    for epoch in range(12):
        for i in torch.randperm(len(x)).split(32):
            loss = nn.functional.cross_entropy(model(x[i]), y[i])
            opt.zero_grad()
            loss.backward()
            opt.step()
    print(name, "accuracy", (model(x).argmax(1) == y).float().mean().item())
