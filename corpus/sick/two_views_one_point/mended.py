import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(1)
images = torch.tensor(load_digits().images / 16, dtype=torch.float32)[:, None]


class Siamese(nn.Module):
    """Learns without labels: two views of one image should be embedded alike."""

    def __init__(self, features=64):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.GELU(), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.GELU(), nn.Flatten(), nn.Linear(512, 128), nn.GELU(),
        )
        self.projector = nn.Sequential(nn.Linear(128, 128), nn.GELU(), nn.Linear(128, features))
        self.predictor = nn.Sequential(nn.Linear(features, 32), nn.GELU(), nn.Linear(32, features))

    def forward(self, one, two):
        z1, z2 = self.projector(self.backbone(one)), self.projector(self.backbone(two))
        return self.predictor(z1), self.predictor(z2), z1, z2


def view(x):
    shifted = torch.roll(x, tuple(torch.randint(-1, 2, (2,)).tolist()), dims=(2, 3))
    return shifted * (torch.rand_like(x) > 0.1) + 0.1 * torch.randn_like(x)


def distance(p, z):
    similarity = F.cosine_similarity(p[:, None], z[None], dim=-1)
    return F.cross_entropy(similarity / 0.2, torch.arange(len(p)))


model = Siamese()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for epoch in range(30):
    for rows in torch.randperm(len(images)).split(128):
        batch = images[rows]
        p1, p2, z1, z2 = model(view(batch), view(batch))
        loss = (distance(p1, z2) + distance(p2, z1)) / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 6 == 0:
        print(f"epoch {epoch}: {loss.item():.4f}")

model.eval()
with torch.no_grad():
    one, two = (F.normalize(model.projector(model.backbone(view(images[:256]))), dim=1) for _ in range(2))
found = (one @ two.T).argmax(dim=1) == torch.arange(256)
print("images found by their other view:", found.float().mean().item(), "spread:", one.std(0).mean().item())
