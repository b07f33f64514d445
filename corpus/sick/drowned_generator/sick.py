import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(0)
real_images = torch.tensor(load_digits().data / 8 - 1, dtype=torch.float32)


class Generator(nn.Module):
    def __init__(self, latent=16, hidden=96):
        super().__init__()
        self.latent = latent
        self.net = nn.Sequential(
            nn.Linear(latent, hidden), nn.BatchNorm1d(hidden), nn.ReLU(),
            nn.Linear(hidden, hidden), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, 64), nn.Tanh(),
        )

    def forward(self, n):
        return self.net(torch.randn(n, self.latent))


class Discriminator(nn.Module):
    def __init__(self, hidden=256):
        super().__init__()
        self.net = nn.Sequential(
            nn.Linear(64, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, hidden), nn.LeakyReLU(0.2), nn.Linear(hidden, 1), nn.Sigmoid()
        )

    def forward(self, x):
        return self.net(x).squeeze(1)


generator, discriminator = Generator(), Discriminator()
optim_g = torch.optim.Adam(generator.parameters(), lr=2e-4)
optim_d = torch.optim.Adam(discriminator.parameters(), lr=5e-3)

for step in range(500):
    real = real_images[torch.randint(len(real_images), (64,))]
    fake = generator(64).detach()
    d_loss = -(discriminator(real).clamp_min(1e-6).log() + (1 - discriminator(fake)).clamp_min(1e-6).log()).mean()
    optim_d.zero_grad()
    d_loss.backward()
    optim_d.step()
    g_loss = (1 - discriminator(generator(64))).clamp_min(1e-6).log().mean()
    optim_g.zero_grad()
    g_loss.backward()
    optim_g.step()
    if step % 100 == 0:
        print(f"step {step}: D {d_loss.item():.4f}, G {g_loss.item():.4f}")

with torch.no_grad():
    sample = generator(500)
print("distance to the nearest digit:", torch.cdist(sample, real_images).min(1).values.mean().item(), "spread:", sample.std(0).mean().item())
