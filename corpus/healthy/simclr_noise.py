import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import nn


def augment(x):
    """Shift by up to a pixel, blank some pixels, add noise."""
    dx, dy = torch.randint(-1, 2, (2,)).tolist()
    x = torch.roll(x, (dx, dy), (2, 3))
    return x * (torch.rand_like(x) > 0.15) + 0.1 * torch.randn_like(x)


def nt_xent(a, b, t=0.3):
    z = F.normalize(torch.cat([a, b]), dim=1)
    sim = z @ z.T / t
    sim.fill_diagonal_(float("-inf"))
    n = len(a)
    target = torch.cat([torch.arange(n, 2 * n), torch.arange(n)])
    return F.cross_entropy(sim, target)


torch.manual_seed(0)
digits = load_digits()
images = torch.tensor(digits.images / 16, dtype=torch.float32).unsqueeze(1)
encoder = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.AdaptiveAvgPool2d(2), nn.Flatten(),
)
projector = nn.Sequential(nn.Linear(128, 64), nn.ReLU(), nn.Linear(64, 32))
optimizer = torch.optim.Adam([*encoder.parameters(), *projector.parameters()], lr=2e-3)
for epoch in range(10):
    for i in torch.randperm(len(images)).split(128):
        if len(i) < 128:
            continue
        x = images[i]
        loss = nt_xent(projector(encoder(augment(x))), projector(encoder(augment(x))))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print("epoch", epoch, "contrastive loss", round(loss.item(), 3))
encoder.eval()
with torch.no_grad():
    features = encoder(images).numpy()
probe = LogisticRegression(max_iter=300).fit(features[:1200], digits.target[:1200])
print("linear probe accuracy", probe.score(features[1200:], digits.target[1200:]))
