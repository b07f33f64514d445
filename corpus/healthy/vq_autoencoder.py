"""Digits through a code book of 32 entries: straight-through estimator and commitment."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(8)
x_all = torch.tensor(load_digits().images / 16, dtype=torch.float32).unsqueeze(1)


class Book(nn.Module):
    def __init__(self, entries, width):
        super().__init__()
        self.codes = nn.Embedding(entries, width)
        nn.init.uniform_(self.codes.weight, -0.3, 0.3)

    def forward(self, z):
        flat = z.permute(0, 2, 3, 1)
        nearest = torch.cdist(flat.flatten(0, 2), self.codes.weight).argmin(1).view(flat.shape[:3])
        chosen = self.codes(nearest).permute(0, 3, 1, 2)
        penalty = F.mse_loss(chosen, z.detach()) + 0.25 * F.mse_loss(z, chosen.detach())
        return z + (chosen - z).detach(), penalty, nearest


encode = nn.Sequential(nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(), nn.Conv2d(32, 32, 3, 1, 1), nn.ReLU(), nn.Conv2d(32, 8, 1))
book = Book(32, 8)
decode = nn.Sequential(nn.Conv2d(8, 32, 3, 1, 1), nn.ReLU(), nn.ConvTranspose2d(32, 1, 4, 2, 1))
net = nn.ModuleList([encode, book, decode])
optimizer = torch.optim.Adam(net.parameters(), lr=2e-3)
for step in range(500):
    x = x_all[torch.randint(len(x_all), (32,))]
    code, penalty, used = book(encode(x))
    error = F.mse_loss(decode(code), x)
    loss = error / x_all.var() + penalty
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0 or step == 499:
        print(step, error.item() / x_all.var().item(), "codes", len(used.unique()))
