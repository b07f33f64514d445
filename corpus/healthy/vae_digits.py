import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader


class VAE(nn.Module):
    def __init__(self, z=4):
        super().__init__()
        self.enc = nn.Sequential(nn.Linear(64, 96), nn.ReLU())
        self.mu = nn.Linear(96, z)
        self.logvar = nn.Linear(96, z)
        self.dec = nn.Sequential(nn.Linear(z, 96), nn.ReLU(), nn.Linear(96, 64))

    def forward(self, x):
        h = self.enc(x)
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + torch.randn_like(mu) * torch.exp(0.5 * logvar)
        return self.dec(z), mu, logvar


def elbo(logits, x, mu, logvar):
    recon = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
    kl = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return (recon + kl) / len(x)


torch.manual_seed(0)
x = torch.tensor(load_digits().data / 16, dtype=torch.float32)
model = VAE()
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(25):
    total = 0.0
    for batch in DataLoader(x, batch_size=64, shuffle=True):
        opt.zero_grad()
        loss = elbo(*((lambda out: (out[0], batch, out[1], out[2]))(model(batch))))
        loss.backward()
        opt.step()
        total += loss.item() * len(batch)
    if epoch % 4 == 0:
        print(f"epoch {epoch} negative ELBO {total / len(x):.3f}")
with torch.no_grad():
    out, mu, logvar = model(x)
print("bce a pixel", F.binary_cross_entropy_with_logits(out, x).item())
