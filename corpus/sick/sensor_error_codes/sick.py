import math

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(2)


def make_days(count):
    """Hourly temperatures of many days, in degrees; tomorrow's mean is to be foretold."""
    hours = torch.arange(24) / 24
    season = torch.rand(count, 1) * 2 * math.pi
    mean = 10 * torch.sin(season) + 2 * torch.randn(count, 1)
    days = mean + 4 * torch.sin(2 * math.pi * (hours - 0.4)) + torch.randn(count, 24)
    tomorrow = 0.8 * mean + 2 * torch.cos(season) + 0.5 * torch.randn(count, 1)
    return days, tomorrow


days, tomorrow = make_days(3000)
days[torch.tensor([411, 1290, 2307]), torch.tensor([5, 17, 9])] = 9999.0
x, y = days / 10, tomorrow / 10
loader = DataLoader(TensorDataset(x, y), batch_size=16, shuffle=True)

model = nn.Sequential(nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
loss_fn = nn.SmoothL1Loss()

for epoch in range(4):
    running = steepest = 0.0
    for days_batch, target in loader:
        optimizer.zero_grad()
        loss = loss_fn(model(days_batch), target)
        loss.backward()
        norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=float("inf"))
        steepest = max(steepest, norm.item())
        optimizer.step()
        running += loss.item()
    print(f"epoch {epoch}: mean loss {running / len(loader):.4f}, largest gradient {steepest:.2f}")
good = (x < 100).all(dim=1)
print("error in degrees", 10 * (model(x[good]) - y[good]).abs().mean().item())
