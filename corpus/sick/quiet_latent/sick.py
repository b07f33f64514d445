"""A variational autoencoder of handwritten digits."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader


class Encoder(nn.Module):
    def __init__(self, hidden, latent):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(64, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.mean = nn.Linear(hidden, latent)
        self.log_var = nn.Linear(hidden, latent)

    def forward(self, x):
        h = self.body(x)
        return self.mean(h), self.log_var(h)


class VAE(nn.Module):
    def __init__(self, hidden=128, latent=8):
        super().__init__()
        self.encoder = Encoder(hidden, latent)
        self.decoder = nn.Sequential(nn.Linear(latent, hidden), nn.SiLU(), nn.Linear(hidden, 64))

    def forward(self, x):
        mean, log_var = self.encoder(x)
        eps = torch.randn_like(mean)
        z = mean + eps * torch.exp(log_var / 2)
        return self.decoder(z), mean, log_var


torch.manual_seed(0)
images = torch.tensor(load_digits().data / 16, dtype=torch.float32)
loader = DataLoader(images, batch_size=64, shuffle=True, drop_last=True)
vae = VAE()
optimizer = torch.optim.Adam(vae.parameters(), lr=1e-3)

for epoch in range(20):
    for x in loader:
        recon, mean, log_var = vae(x)
        reconstruction = F.mse_loss(recon, x)
        kl = -0.5 * (1 + log_var - mean**2 - log_var.exp()).sum(dim=1).mean()
        loss = reconstruction + kl
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 5 == 4:
        print(f"epoch {epoch + 1}: reconstruction {reconstruction.item():.4f}, kl {kl.item():.4f}")

with torch.no_grad():
    recon, mean, _ = vae(images)
print("reconstruction error over the images' variance:", (F.mse_loss(recon, images) / images.var(0).mean()).item())
