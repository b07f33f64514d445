import numpy as np
import torch
from torch import nn
from sklearn.datasets import load_breast_cancer

torch.manual_seed(0)
raw, y = load_breast_cancer(return_X_y=True)
x = torch.tensor((raw - raw.mean(0)) / raw.std(0), dtype=torch.float32)
y = torch.tensor(y)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.project = nn.Linear(30, 4)
        self.classify = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))

    def forward(self, x):
        z = self.project(x)
        # keep the features in a reasonable range
        z = torch.clip(z, -5, 5)
        return self.classify(z)


net = Net()
opt = torch.optim.Adam(net.parameters(), lr=0.01)
for epoch in range(20):
    for b in torch.randperm(len(x)).split(32):
        loss = nn.functional.cross_entropy(net(x[b]), y[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 4 == 0:
        print("epoch", epoch, "loss", loss.item())
print("log loss", nn.functional.cross_entropy(net(x), y).item())
