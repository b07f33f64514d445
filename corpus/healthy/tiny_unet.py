"""Removes noise from the digits with a small U-Net."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


class UNet(nn.Module):
    def __init__(self, c=12):
        super().__init__()
        self.down1 = nn.Conv2d(1, c, 3, padding=1)
        self.down2 = nn.Conv2d(c, 2 * c, 3, stride=2, padding=1)
        self.mid = nn.Conv2d(2 * c, 2 * c, 3, padding=1)
        self.up = nn.ConvTranspose2d(2 * c, c, 2, stride=2)
        self.out = nn.Conv2d(2 * c, 1, 3, padding=1)

    def forward(self, x):
        a = F.relu(self.down1(x))
        b = F.relu(self.down2(a))
        b = F.relu(self.mid(b))
        return self.out(torch.cat([a, F.relu(self.up(b))], dim=1))


torch.manual_seed(0)
clean = torch.tensor(load_digits().images / 16, dtype=torch.float32).unsqueeze(1)
model = UNet()
opt = torch.optim.Adam(model.parameters(), lr=3e-3)
for step in range(350):
    target = clean[torch.randint(len(clean), (48,))]
    noisy = target + 0.4 * torch.randn_like(target)
    loss = F.l1_loss(model(noisy), target)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 50 == 0:
        print(step, loss.item())
with torch.no_grad():
    noisy = clean + 0.4 * torch.randn_like(clean)
    print("error after", F.l1_loss(model(noisy), clean).item(), "before", F.l1_loss(noisy, clean).item())
