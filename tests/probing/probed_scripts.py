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


SEQUENCES = """
import torch
from torch import nn

CAUSAL = True
torch.manual_seed(0)
data = torch.arange(12).repeat(60)

class Mixer(nn.Module):
    def __init__(self):
        super().__init__()
        self.scores = nn.Linear(16, 16)
        self.drop = nn.Dropout(0.1)
    def forward(self, x):
        scores = self.scores(x) @ x.transpose(1, 2)
        if CAUSAL:
            future = torch.ones_like(scores[0], dtype=torch.bool).triu(1)
            scores = scores.masked_fill(future, float("-inf"))
        return x + self.drop(scores.softmax(-1)) @ x

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(12, 16)
        self.norm = nn.BatchNorm1d(16)
        self.mixer = Mixer()
        self.head = nn.Linear(16, 12)
    def forward(self, ids):
        x = self.norm(self.embedding(ids).transpose(1, 2)).transpose(1, 2)
        return self.head(self.mixer(x))

model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for step in range(30):
    start = torch.randint(0, len(data) - 9, (16,))
    window = torch.stack([data[i : i + 9] for i in start])
    x, y = window[:, :-1], window[:, 1:]
    logits = model(x)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
state = [t.double().sum().item() for t in model.state_dict().values()]
raise RuntimeError([state, loss.item(), torch.rand(1).item(), torch.initial_seed(), model.training])
"""

IMAGES = """
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(1)
x = torch.randn(256, 1, 6, 6) * 3 + 1
y = (x.mean((1, 2, 3)) > 1).long()
loader = DataLoader(TensorDataset(x, y), batch_size=32, shuffle=True)
model = nn.Sequential(
    nn.Conv2d(1, 8, 3), nn.BatchNorm2d(8, momentum=0.1), nn.ReLU(), nn.Flatten(), nn.Dropout(0.5),
    nn.Linear(128, 2),
)
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(40):
    for inputs, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()
"""

DEEP = """
import torch
from torch import nn
torch.manual_seed(0)
x, y = torch.randn(64, 16) * 0.05 + 40, torch.randint(0, 3, (64,))
layers = [nn.Linear(16, 32), nn.Tanh()]
for _ in range(11):
    layers += [nn.Linear(32, 32), nn.Tanh()]
model = nn.Sequential(*layers, nn.Linear(32, 3))
for layer in model:
    if isinstance(layer, nn.Linear):
        nn.init.xavier_normal_(layer.weight, gain=GAIN)
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(20):
    loss = nn.functional.cross_entropy(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""

HALVED = """
import torch
from torch import nn
torch.manual_seed(0)
x = torch.randn(64, 8)
y = (x @ torch.randn(8, 1)).bfloat16()
model = nn.Linear(8, 1).to(torch.bfloat16)
optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
for step in range(150):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(x.to(torch.bfloat16))
    loss = nn.functional.mse_loss(out, y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
raise RuntimeError([str(model.weight.dtype), str(out.dtype)])
"""
