import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from torch import nn


def wines(dtype):
    x, y = load_wine(return_X_y=True)
    return torch.tensor((x - x.mean(0)) / x.std(0), dtype=dtype), torch.tensor(y)


class Block(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.inner = nn.Linear(width, 2 * width)
        self.outer = nn.Linear(2 * width, width)

    def forward(self, x):
        return x + self.outer(F.relu(self.inner(x)))


def main(dtype):
    torch.manual_seed(0)
    x, y = wines(dtype)
    net = nn.Sequential(nn.Linear(13, 48), Block(48), Block(48), nn.Linear(48, 3)).to(dtype)
    adam = torch.optim.Adam(net.parameters(), lr=1e-3)
    for epoch in range(60):
        for index in torch.randperm(len(x)).split(48):
            loss = F.cross_entropy(net(x[index]).float(), y[index])
            adam.zero_grad()
            loss.backward()
            adam.step()
        if epoch % 10 == 0:
            print(epoch, loss.item())
    print("accuracy", (net(x).argmax(1) == y).float().mean().item())


main(torch.float32)
