import argparse

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset


def make_signals(n, rng):
    """Ten kinds of one-dimensional bumps, shifted, scaled and noisy."""
    t = np.linspace(0, 1, 40)
    templates = np.array([np.sin((k + 1) * 2.2 * t + k) * np.exp(-((t - k / 10) ** 2) * 4) for k in range(10)])
    labels = rng.integers(0, 10, n)
    signals = templates[labels] * rng.uniform(0.7, 1.3, (n, 1)) + 0.15 * rng.normal(size=(n, 40))
    for i in range(n):
        signals[i] = np.roll(signals[i], rng.integers(-2, 3))
    return signals.astype(np.float32), labels.astype(np.int64)


def make_mlp(sizes):
    layers = []
    for n_in, n_out in zip(sizes[:-2], sizes[1:-1]):
        layers.append(nn.Linear(n_in, n_out))
        layers.append(nn.Sigmoid())
    layers.append(nn.Linear(sizes[-2], sizes[-1]))
    return nn.Sequential(*layers)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--lr", type=float, default=0.2)
    parser.add_argument("--depth", type=int, default=16)
    args = parser.parse_args()

    torch.manual_seed(3)
    rng = np.random.default_rng(3)
    train = TensorDataset(*map(torch.from_numpy, make_signals(2000, rng)))
    x_val, y_val = map(torch.from_numpy, make_signals(500, rng))
    loader = DataLoader(train, batch_size=50, shuffle=True)

    model = make_mlp([40] + [48] * args.depth + [10])
    opt = torch.optim.SGD(model.parameters(), lr=args.lr)
    for epoch in range(args.epochs):
        running = 0.0
        for xb, yb in loader:
            loss = nn.functional.cross_entropy(model(xb), yb)
            opt.zero_grad()
            loss.backward()
            opt.step()
            running += loss.item()
        print(epoch, running / len(loader))
    with torch.no_grad():
        print("validation accuracy", (model(x_val).argmax(1) == y_val).float().mean().item())


if __name__ == "__main__":
    main()
