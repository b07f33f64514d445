import torch
from torch import autograd, nn

torch.manual_seed(0)


def real(n):
    angle = 2 * torch.pi * torch.rand(n)
    radius = 1 + 0.05 * torch.randn(n)
    return torch.stack([radius * angle.cos(), radius * angle.sin()], 1)


G = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
D = nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1))
g_opt = torch.optim.Adam(G.parameters(), lr=1e-3, betas=(0.0, 0.9))
d_opt = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.0, 0.9))


def gradient_penalty(a, b):
    t = torch.rand(len(a), 1)
    mid = (t * a + (1 - t) * b).requires_grad_(True)
    (grad,) = autograd.grad(D(mid).sum(), mid, create_graph=True)
    return ((grad.norm(2, dim=1) - 1) ** 2).mean()


for it in range(400):
    for _ in range(3):
        x, fake = real(128), G(torch.randn(128, 4)).detach()
        d_loss = D(fake).mean() - D(x).mean() + 0.1 * gradient_penalty(x, fake)
        d_opt.zero_grad()
        d_loss.backward()
        d_opt.step()
    g_loss = -D(G(torch.randn(128, 4))).mean()
    g_opt.zero_grad()
    g_loss.backward()
    g_opt.step()
    if it % 80 == 0:
        print(f"{it}: critic {d_loss.item():.3f} generator {g_loss.item():.3f}")
with torch.no_grad():
    r = G(torch.randn(2000, 4)).norm(dim=1)
print("radius", r.mean().item(), "spread", r.std().item())
