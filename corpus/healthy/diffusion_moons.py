"""Denoising diffusion in the plane, with an exponential average of the weights to sample from."""
import copy

import torch
import torch.nn.functional as F
from sklearn.datasets import make_moons
from torch import nn

torch.manual_seed(0)
data = torch.tensor(make_moons(3000, noise=0.05, random_state=0)[0], dtype=torch.float32)
data = (data - data.mean(0)) / data.std(0)
TIMES = 100
beta = torch.linspace(1e-3, 0.06, TIMES)
kept = torch.cumprod(1 - beta, 0)


class Denoiser(nn.Module):
    def __init__(self, width=96):
        super().__init__()
        self.when = nn.Embedding(TIMES, width)
        self.enter = nn.Linear(2, width)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
            for _ in range(3)
        )
        self.leave = nn.Linear(width, 2)
        nn.init.zeros_(self.leave.weight)

    def forward(self, x, t):
        h = self.enter(x) + self.when(t)
        for block in self.blocks:
            h = h + block(h)
        return self.leave(h)


net = Denoiser()
average = copy.deepcopy(net).requires_grad_(False)
optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
for step in range(600):
    x = data[torch.randint(len(data), (192,))]
    t = torch.randint(TIMES, (192,))
    noise = torch.randn_like(x)
    mixed = kept[t, None].sqrt() * x + (1 - kept[t, None]).sqrt() * noise
    loss = F.mse_loss(net(mixed, t), noise)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for old, new in zip(average.parameters(), net.parameters()):
            old.lerp_(new, 0.01)
    if step % 100 == 0 or step == 599:
        print(step, loss.item())
with torch.no_grad():
    x = torch.randn(300, 2)
    for i in reversed(range(TIMES)):
        guess = average(x, torch.full((300,), i))
        x = (x - beta[i] / (1 - kept[i]).sqrt() * guess) / (1 - beta[i]).sqrt()
        x = x + (beta[i].sqrt() * torch.randn_like(x) if i else 0)
print("distance to the data", torch.cdist(x, data).amin(1).mean().item())
