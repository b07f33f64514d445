import torch
from sklearn.datasets import load_diabetes
from torch import nn

torch.manual_seed(1)
data = load_diabetes()
x = torch.tensor(data.data / data.data.std(0), dtype=torch.float32)
y = torch.tensor(data.target, dtype=torch.float32) / data.target.mean()


class Rooted(nn.Module):
    """Squares of differences of roots; a prediction below zero costs its distance instead."""

    def forward(self, mean, y):
        rooted = 4 * (torch.sqrt(mean) - torch.sqrt(y)) ** 2
        return torch.where(mean > 0, rooted, (mean - y) ** 2).mean()


net = nn.Sequential(nn.Linear(10, 48), nn.ReLU(), nn.Linear(48, 1), nn.Flatten(0))
criterion = Rooted()
optimizer = torch.optim.SGD(net.parameters(), lr=0.02)
for epoch in range(40):
    for part in torch.randperm(len(x)).split(64):
        optimizer.zero_grad()
        loss = criterion(net(x[part]), y[part])
        loss.backward()
        optimizer.step()
print("mean error", (net(x) - y).abs().mean().item())
