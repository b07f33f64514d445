import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(1)
d = load_digits()
x, y = torch.tensor(d.data / 16, dtype=torch.float32), torch.tensor(d.target)

# Metric learning: pull equal digits together, push different ones apart.
embed = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 8))
opt = torch.optim.Adam(embed.parameters(), lr=2e-3)
margin = 2.0

for step in range(400):
    b = torch.randint(0, len(x), (48,))
    z = embed(x[b])
    diff = z[:, None] - z[None]
    dist = torch.sqrt((diff**2).sum(-1))
    same = y[b][:, None] == y[b][None]
    loss = torch.where(same, dist**2, torch.relu(margin - dist) ** 2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 50 == 0:
        print(step, loss.item())

with torch.no_grad():
    z = embed(x)
    nearest = (torch.cdist(z, z) + 1e9 * torch.eye(len(z))).argmin(1)
    print("nearest neighbour accuracy", (y[nearest] == y).float().mean().item())
