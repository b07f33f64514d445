import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


class Standardise(nn.Module):
    """Normalise every pixel over the batch."""

    def forward(self, x):
        return (x - x.mean(0)) / x.std(0)


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.norm = Standardise()
        self.body = nn.Sequential(nn.Linear(64, 64), nn.ReLU())
        self.head = nn.Linear(64, 10)

    def forward(self, x):
        return self.head(self.body(self.norm(x)))


torch.manual_seed(0)
d = load_digits()
x, y = torch.tensor(d.data, dtype=torch.float32), torch.tensor(d.target)
net = Net()
opt = torch.optim.SGD(net.parameters(), lr=0.05)
for epoch in range(12):
    for i in torch.randperm(len(x)).split(128):
        opt.zero_grad()
        loss = F.cross_entropy(net(x[i]), y[i])
        loss.backward()
        opt.step()
    print(epoch, loss.item())
print("loss", F.cross_entropy(net(x), y).item())
