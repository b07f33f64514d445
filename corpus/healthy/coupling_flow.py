"""The density of two moons by affine couplings: minus log-likelihood, which may fall below 0."""
import math

import torch
from sklearn.datasets import make_moons
from torch import nn

torch.manual_seed(2)
data = torch.tensor(make_moons(3000, noise=0.04, random_state=1)[0], dtype=torch.float32)
data = (data - data.mean(0)) / data.std(0)


class Coupling(nn.Module):
    def __init__(self, kept):
        super().__init__()
        self.kept = kept
        self.net = nn.Sequential(nn.Linear(1, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 2))

    def forward(self, x):
        still, moved = x[:, self.kept], x[:, 1 - self.kept]
        scale, shift = self.net(still[:, None]).unbind(1)
        scale = 2 * torch.tanh(scale / 2)
        moved = (moved - shift) * torch.exp(-scale)
        parts = (still, moved) if self.kept == 0 else (moved, still)
        return torch.stack(parts, 1), -scale


layers = nn.ModuleList(Coupling(i % 2) for i in range(6))
optimizer = torch.optim.Adam(layers.parameters(), lr=2e-3)
for step in range(600):
    z = data[torch.randint(len(data), (128,))]
    volume = 0.0
    for layer in layers:
        z, change = layer(z)
        volume = volume + change
    density = -0.5 * (z**2).sum(1) - math.log(2 * math.pi) + volume
    loss = -density.mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0 or step == 599:
        print(step, loss.item())
