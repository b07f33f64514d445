import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
labels = torch.tensor(digits.target)


class Embedder(nn.Module):
    def __init__(self, size=24):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 12, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(12, 24, 3, padding=1), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
        )
        self.project = nn.Linear(96, size)

    def forward(self, x):
        return F.normalize(self.project(self.features(x)), dim=1)


def angles(codes):
    return torch.acos((codes @ codes.T).clamp(-1 + 1e-6, 1 - 1e-6))


torch.manual_seed(0)
net = Embedder()
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for step in range(250):
    pick = torch.randint(0, len(images), (40,))
    same = labels[pick][:, None] == labels[pick][None, :]
    angle = angles(net(images[pick]))
    loss = angle[same].pow(2).mean() + (1.2 - angle[~same]).clamp_min(0).pow(2).mean()
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 50 == 0:
        print(step, float(loss))
with torch.no_grad():
    codes = net(images)
    near = (codes @ codes.T).fill_diagonal_(-2).argmax(1)
print("same as its neighbour", (labels[near] == labels).float().mean().item())
