from functools import partial

import torch
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset


def init_weights(module, value):
    if isinstance(module, nn.Linear):
        nn.init.constant_(module.weight, value)
        nn.init.zeros_(module.bias)


def build(hidden):
    net = nn.Sequential(nn.Linear(13, hidden), nn.Tanh(), nn.Linear(hidden, hidden), nn.Tanh(), nn.Linear(hidden, 3))
    net.apply(partial(init_weights, value=0.05))
    return net


def accuracy(net, x, y):
    with torch.no_grad():
        return (net(x).argmax(1) == y).float().mean().item()


if __name__ == "__main__":
    torch.manual_seed(8)
    x, y = load_wine(return_X_y=True)
    x = torch.tensor(StandardScaler().fit_transform(x), dtype=torch.float32)
    y = torch.tensor(y)
    loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)
    net = build(32)
    opt = optim.SGD(net.parameters(), lr=0.05)
    for epoch in range(30):
        for xb, yb in loader:
            opt.zero_grad()
            loss = nn.functional.cross_entropy(net(xb), yb)
            loss.backward()
            opt.step()
        if epoch % 5 == 0:
            print(f"epoch {epoch} loss {loss.item():.4f} accuracy {accuracy(net, x, y):.3f}")
    print("final accuracy", accuracy(net, x, y))
