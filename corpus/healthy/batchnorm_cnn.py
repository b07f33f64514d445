import argparse

import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset


def conv_block(i, o):
    return nn.Sequential(nn.Conv2d(i, o, 3, padding=1, bias=False), nn.BatchNorm2d(o), nn.ReLU(inplace=True))


@torch.no_grad()
def evaluate(model, loader):
    model.eval()
    return sum((model(x).argmax(1) == y).sum().item() for x, y in loader) / len(loader.dataset)


def main(argv=None):
    ap = argparse.ArgumentParser(description="digits")
    ap.add_argument("--epochs", default=8, type=int)
    ap.add_argument("--lr", default=0.1, type=float)
    a = ap.parse_args(argv)
    torch.manual_seed(0)
    d = load_digits()
    parts = train_test_split(d.images, d.target, test_size=0.2, random_state=0)
    xs = [torch.tensor(p / 16, dtype=torch.float32).unsqueeze(1) for p in parts[:2]]
    ys = [torch.tensor(p) for p in parts[2:]]
    train = DataLoader(TensorDataset(xs[0], ys[0]), batch_size=64, shuffle=True)
    test = DataLoader(TensorDataset(xs[1], ys[1]), batch_size=256)
    model = nn.Sequential(conv_block(1, 16), conv_block(16, 16), nn.MaxPool2d(2), conv_block(16, 32), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))
    opt = torch.optim.SGD(model.parameters(), lr=a.lr, momentum=0.9, weight_decay=5e-4)
    for epoch in range(a.epochs):
        model.train()
        for x, y in train:
            opt.zero_grad()
            loss = nn.functional.cross_entropy(model(x), y)
            loss.backward()
            opt.step()
        print(f"epoch {epoch} loss {loss.item():.4f} accuracy {evaluate(model, test):.4f}")


if __name__ == "__main__":
    main()
