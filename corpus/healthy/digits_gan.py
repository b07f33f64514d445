import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
images = torch.tensor(load_digits().data / 8 - 1, dtype=torch.float32)
loader = DataLoader(TensorDataset(images), batch_size=64, shuffle=True, drop_last=True)

latent = 16
generator = nn.Sequential(
    nn.Linear(latent, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 96), nn.BatchNorm1d(96), nn.ReLU(), nn.Linear(96, 64), nn.Tanh()
)
discriminator = nn.Sequential(nn.Linear(64, 96), nn.LeakyReLU(0.2), nn.Linear(96, 48), nn.LeakyReLU(0.2), nn.Linear(48, 1))
g_opt = torch.optim.Adam(generator.parameters(), lr=2e-3, betas=(0.5, 0.999))
d_opt = torch.optim.Adam(discriminator.parameters(), lr=1e-3, betas=(0.5, 0.999))
bce = nn.BCEWithLogitsLoss()

for epoch in range(16):
    for (real,) in loader:
        ones, zeros = torch.ones(len(real), 1), torch.zeros(len(real), 1)
        fake = generator(torch.randn(len(real), latent))

        d_opt.zero_grad()
        d_loss = bce(discriminator(real), ones) + bce(discriminator(fake.detach()), zeros)
        d_loss.backward()
        d_opt.step()

        g_opt.zero_grad()
        g_loss = bce(discriminator(fake), ones)
        g_loss.backward()
        g_opt.step()
    if epoch % 3 == 0:
        print(f"epoch {epoch}: D {d_loss.item():.3f} G {g_loss.item():.3f}")

generator.eval()
with torch.no_grad():
    sample = generator(torch.randn(500, latent))
    nearest = torch.cdist(sample, images).min(1).values.mean().item()
    noise = torch.cdist(torch.rand(500, 64) * 2 - 1, images).min(1).values.mean().item()
print(f"mean distance to the nearest real digit: {nearest:.2f} (uniform noise: {noise:.2f})")
