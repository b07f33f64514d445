"""A generator of points on eight islands, and the critic that tells them from real ones."""
import math

import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as bce

torch.manual_seed(0)


def islands(n):
    angle = torch.randint(8, (n,)) * (2 * math.pi / 8)
    return torch.stack([angle.cos(), angle.sin()], dim=1) * 2 + 0.05 * torch.randn(n, 2)


def mlp(inputs, hidden, outputs):
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, outputs))


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = mlp(2, 64, 2)

    def forward(self, z):
        return 3 * torch.tanh(self.body(z))


generator = Generator()
critic = mlp(2, 64, 1)
opt_generator = torch.optim.Adam(generator.parameters(), lr=5e-3)
opt_critic = torch.optim.Adam(critic.parameters(), lr=1e-4)
batch = 128

for step in range(600):
    real, fake = islands(batch), generator(torch.randn(batch, 2))
    loss_critic = bce(critic(real), torch.ones(batch, 1)) + bce(critic(fake.detach()), torch.zeros(batch, 1))
    opt_critic.zero_grad()
    loss_critic.backward()
    opt_critic.step()

    loss_generator = bce(critic(fake), torch.ones(batch, 1))
    opt_generator.zero_grad()
    loss_generator.backward()
    opt_generator.step()
    if step % 100 == 0:
        print(f"{step}: critic {loss_critic.item():.3f} generator {loss_generator.item():.3f}")

with torch.no_grad():
    points = generator(torch.randn(2000, 2))
print("islands reached:", len(set((torch.atan2(points[:, 1], points[:, 0]) / (2 * math.pi / 8)).round().remainder(8).int().tolist())), "spread:", points.std(0).tolist())
