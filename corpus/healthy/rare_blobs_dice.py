"""Finds small blobs, a fifteenth of the pixels: cross entropy and an overlap loss, a small rate."""
import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
rows, columns = torch.meshgrid(torch.arange(24.0), torch.arange(24.0), indexing="ij")


def scenes(count):
    middle, radius = 4 + 16 * torch.rand(count, 2), 2.5 + 1.5 * torch.rand(count)
    away = (rows - middle[:, 0, None, None]) ** 2 + (columns - middle[:, 1, None, None]) ** 2
    mask = (away < radius[:, None, None] ** 2).float()[:, None]
    return mask + 0.5 * torch.randn(count, 1, 24, 24), mask


def convs(a, b):
    return nn.Sequential(nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True))


class Segmenter(nn.Module):
    def __init__(self):
        super().__init__()
        self.fine, self.coarse, self.join = convs(1, 8), convs(8, 16), convs(24, 8)
        self.out = nn.Conv2d(8, 1, 1)

    def forward(self, x):
        a = self.fine(x)
        b = F.interpolate(self.coarse(F.max_pool2d(a, 2)), scale_factor=2)
        return self.out(self.join(torch.cat([a, b], 1)))


net = Segmenter()
optimizer = torch.optim.RMSprop(net.parameters(), lr=2e-4, momentum=0.9)
for step in range(300):
    x, mask = scenes(8)
    out = net(x)
    inside = torch.sigmoid(out)
    overlap = (2 * (inside * mask).sum() + 1) / (inside.sum() + mask.sum() + 1)
    loss = F.binary_cross_entropy_with_logits(out, mask) + 1 - overlap
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 60 == 0 or step == 299:
        print(step, loss.item(), "overlap", overlap.item())
