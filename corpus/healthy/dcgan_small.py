import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


def init(m):
    if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)):
        nn.init.normal_(m.weight, 0.0, 0.02)
    elif isinstance(m, nn.BatchNorm2d):
        nn.init.normal_(m.weight, 1.0, 0.02)
        nn.init.zeros_(m.bias)


class G(nn.Module):
    def __init__(self, z=16, c=16):
        super().__init__()
        self.main = nn.Sequential(
            nn.ConvTranspose2d(z, c * 2, 2, bias=False), nn.BatchNorm2d(c * 2), nn.ReLU(True),
            nn.ConvTranspose2d(c * 2, c, 4, 2, 1, bias=False), nn.BatchNorm2d(c), nn.ReLU(True),
            nn.ConvTranspose2d(c, 1, 4, 2, 1), nn.Tanh(),
        )

    def forward(self, z):
        return self.main(z[:, :, None, None])


class D(nn.Module):
    def __init__(self, c=16):
        super().__init__()
        self.main = nn.Sequential(
            nn.Conv2d(1, c, 4, 2, 1), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(c, c * 2, 4, 2, 1, bias=False), nn.BatchNorm2d(c * 2), nn.LeakyReLU(0.2, inplace=True),
            nn.Conv2d(c * 2, 1, 2),
        )

    def forward(self, x):
        return self.main(x).flatten()


torch.manual_seed(0)
real_images = torch.tensor(load_digits().images / 8 - 1, dtype=torch.float32)[:, None]
g, d = G(), D()
g.apply(init)
d.apply(init)
optim_g = torch.optim.Adam(g.parameters(), 2e-3, (0.5, 0.999))
optim_d = torch.optim.Adam(d.parameters(), 1e-3, (0.5, 0.999))
fixed = torch.randn(400, 16)
for it in range(400):
    real = real_images[torch.randint(len(real_images), (64,))]
    fake = g(torch.randn(64, 16))
    d.zero_grad()
    loss_real = F.softplus(-d(real)).mean()
    loss_real.backward()
    loss_fake = F.softplus(d(fake.detach())).mean()
    loss_fake.backward()
    optim_d.step()
    g.zero_grad()
    loss_g = F.softplus(-d(fake)).mean()
    loss_g.backward()
    optim_g.step()
    if it % 80 == 0:
        print(it, f"{loss_real + loss_fake:.3f} {loss_g:.3f}")
with torch.no_grad():
    out = g(fixed)
print("pixel mean, real and made:", real_images.mean().item(), out.mean().item())
print("distance to nearest real:", torch.cdist(out.flatten(1), real_images.flatten(1)).min(1).values.mean().item())
