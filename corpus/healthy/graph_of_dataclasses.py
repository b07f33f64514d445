"""Modules that hand dataclasses, tuples and None to one another; actor and critic in one loss."""
from dataclasses import dataclass
from typing import Optional

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


@dataclass
class Output:
    logits: torch.Tensor
    hidden: torch.Tensor
    loss: Optional[torch.Tensor] = None


class Body(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(64, 80)
        self.norm = nn.LayerNorm(80)

    def forward(self, x, mask=None):
        h = F.gelu(self.norm(self.fc(x)))
        return h, mask


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = Body()
        self.head = nn.Linear(80, 10)

    def forward(self, x, labels=None):
        h, _ = self.body(x)
        logits = self.head(h)
        loss = None if labels is None else F.cross_entropy(logits, labels)
        return Output(logits, h, loss)


torch.manual_seed(0)
d = load_digits()
x, y = torch.tensor(d.data / 16).float(), torch.tensor(d.target)
model = Classifier()
opt = torch.optim.Adagrad(model.parameters(), lr=0.03)
for epoch in range(10):
    for i in torch.randperm(len(x)).split(64):
        out = model(x[i], labels=y[i])
        opt.zero_grad()
        out.loss.backward()
        opt.step()
    print(epoch, out.loss.item())
print("accuracy", (model(x).logits.argmax(1) == y).float().mean().item())
