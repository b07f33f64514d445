import math

import torch
from torch import nn


def rings(count, generator):
    """Points of an inner disc and of a ring around it, in equal numbers."""
    inside = torch.arange(count) % 2 == 0
    radius = torch.where(inside, 0.6 * torch.rand(count, generator=generator), 1.0 + 0.5 * torch.rand(count, generator=generator))
    angle = 2 * math.pi * torch.rand(count, generator=generator)
    points = torch.stack([radius * angle.cos(), radius * angle.sin()], dim=1)
    return points, (~inside).long()


class Classifier(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.enter = nn.Linear(2, width)
        self.middle = nn.Linear(width, width)
        self.activation = nn.ReLU()
        self.drop = nn.Dropout(0.1)
        self.leave = nn.Linear(width, 2)

    def forward(self, x):
        x = self.enter(x)
        x = self.drop(self.middle(x))
        return self.leave(x)


torch.manual_seed(2)
points, labels = rings(1200, torch.Generator().manual_seed(2))
model = Classifier()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(20):
    order = torch.randperm(len(points))
    for rows in order.split(48):
        loss = nn.functional.cross_entropy(model(points[rows]), labels[rows])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
model.eval()
print("accuracy", (model(points).argmax(1) == labels).float().mean().item())
