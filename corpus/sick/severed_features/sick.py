import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(0)


class TwoStage(nn.Module):
    def __init__(self):
        super().__init__()
        self.stage1 = nn.Sequential(nn.Linear(64, 24), nn.ReLU(), nn.Linear(24, 6))
        self.stage2 = nn.Sequential(nn.Linear(6, 24), nn.ReLU(), nn.Linear(24, 10))

    def forward(self, x):
        features = self.stage1(x)
        self.last_features = features = features.detach()
        return self.stage2(features)


d = load_digits()
x, y = torch.tensor(d.data / 16).float(), torch.tensor(d.target)
model = TwoStage()
opt = torch.optim.Adam(model.parameters(), lr=3e-3)
for step in range(600):
    i = torch.randint(0, len(x), (64,))
    loss = F.cross_entropy(model(x[i]), y[i])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 100 == 0:
        print(step, f"{loss.item():.4f}")
print("accuracy", (model(x).argmax(1) == y).float().mean().item())
