import torch
import torch.nn as nn
from sklearn.datasets import make_moons

torch.manual_seed(0)
data = torch.tensor(make_moons(2000, noise=0.05, random_state=0)[0]).float()
energy = nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 1))
optimizer = torch.optim.Adam(energy.parameters(), lr=1e-3, betas=(0.0, 0.999))
buffer = torch.rand(1000, 2) * 4 - 1.5


def sample(n, steps=30, step_size=0.05):
    idx = torch.randint(0, len(buffer), (n,))
    x = buffer[idx].clone()
    fresh = torch.rand(n) < 0.05
    x[fresh] = torch.rand(int(fresh.sum()), 2) * 4 - 1.5
    for p in energy.parameters():
        p.requires_grad = False
    x.requires_grad_(True)
    for _ in range(steps):
        grad = torch.autograd.grad(energy(x).sum(), x)[0]
        x.data = x.data - step_size * grad + 0.05 * torch.randn_like(x)
    for p in energy.parameters():
        p.requires_grad = True
    buffer[idx] = x.detach()
    return x.detach()


for step in range(300):
    real = data[torch.randint(0, len(data), (128,))] + 0.01 * torch.randn(128, 2)
    fake = sample(128)
    e_real, e_fake = energy(real), energy(fake)
    loss = e_real.mean() - e_fake.mean() + 0.1 * (e_real**2 + e_fake**2).mean()
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(energy.parameters(), 0.1)
    optimizer.step()
    if step % 50 == 0:
        print(step, loss.item(), e_real.mean().item() - e_fake.mean().item())
with torch.no_grad():
    d = torch.cdist(buffer, data).min(1)[0]
print(
    "distance of samples to data",
    d.median().item(),
    "uniform",
    torch.cdist(torch.rand(1000, 2) * 4 - 1.5, data).min(1)[0].median().item(),
)
