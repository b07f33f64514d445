import torch
from sklearn.datasets import load_digits
from torch import nn


class SimSiam(nn.Module):
    def __init__(self, d=48):
        super().__init__()
        self.f = nn.Sequential(
            nn.Linear(64, 128, bias=False), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, d, bias=False), nn.BatchNorm1d(d, affine=False)
        )
        self.h = nn.Sequential(nn.Linear(d, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, d))

    def forward(self, a, b):
        za, zb = self.f(a), self.f(b)
        return self.h(za), self.h(zb), za.detach(), zb.detach()


torch.manual_seed(0)
d = load_digits()
x = torch.tensor(d.data / 8 - 1, dtype=torch.float32)
y = torch.tensor(d.target)
augment = lambda v: v * (torch.rand_like(v) > 0.2) + 0.15 * torch.randn_like(v)
model = SimSiam()
cos = nn.CosineSimilarity(dim=1)
opt = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
for epoch in range(25):
    for idx in torch.randperm(len(x))[:1792].split(128):
        p1, p2, z1, z2 = model(augment(x[idx]), augment(x[idx]))
        loss = -(cos(p1, z2).mean() + cos(p2, z1).mean()) * 0.5
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
model.eval()
with torch.no_grad():
    z = nn.functional.normalize(model.f(x), dim=1)
    sim = z[1200:] @ z[:1200].T
    print("nearest neighbour accuracy", (y[sim.argmax(1)] == y[1200:]).float().mean().item())
