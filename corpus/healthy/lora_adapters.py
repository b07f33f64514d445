import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(0)


class LoRALinear(nn.Module):
    def __init__(self, base: nn.Linear, rank: int = 4, alpha: float = 8.0):
        super().__init__()
        self.base = base
        for p in self.base.parameters():
            p.requires_grad_(False)
        self.A = nn.Parameter(torch.randn(rank, base.in_features) / math.sqrt(base.in_features))
        self.B = nn.Parameter(torch.zeros(base.out_features, rank))
        self.scale = alpha / rank

    def forward(self, x):
        return self.base(x) + F.linear(F.linear(x, self.A), self.B) * self.scale


digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target)
mirrored = torch.tensor(digits.images[:, :, ::-1].copy().reshape(-1, 64) / 16, dtype=torch.float32)

model = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 10))


def fit(x, params, steps, lr):
    opt = torch.optim.AdamW(params, lr=lr)
    for step in range(steps):
        i = torch.randint(len(x), (64,))
        loss = F.cross_entropy(model(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 100 == 0:
            print(f"  {step:4d} {loss.item():.4f}")


print("pretraining")
fit(x, model.parameters(), 300, 2e-3)
for i in (0, 2, 4):
    model[i] = LoRALinear(model[i])
print("adapting to mirrored digits")
fit(mirrored, [p for p in model.parameters() if p.requires_grad], 500, 5e-3)
print("accuracy", (model(mirrored).argmax(1) == y).float().mean().item())
