"""Small scripts that trials run."""

from __future__ import annotations

from pathlib import Path

CLASSIFIER = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)
x = torch.randn(256, 10)
y = (x[:, 0] > 0).long()
loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 2))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10, 0.5)
for epoch in range(20):
    for inputs, labels in loader:
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
    scheduler.step()
    print("epoch", epoch, loss.item())
    torch.save(model.state_dict(), "model.pt")
    with open("log.txt", "a") as log:
        print(epoch, file=log)
print(scheduler.get_last_lr(), [p.double().sum().item() for p in model.parameters()])
"""


def script(folder: Path, text: str, name: str = "train.py") -> str:
    """A script in a folder; its path."""
    (folder / name).write_text(text)
    return str(folder / name)
