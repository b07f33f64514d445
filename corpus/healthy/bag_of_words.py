"""From which module of the standard library is a line of code?"""
import argparse
import difflib
import inspect
import random
import re
import tarfile

import torch
from torch import nn

random.seed(0)
torch.manual_seed(0)
modules = [argparse, difflib, tarfile]
lines = [(line.strip(), k) for k, m in enumerate(modules) for line in inspect.getsource(m).splitlines() if len(line.split()) > 3]
random.shuffle(lines)
words = sorted({w for line, _ in lines for w in re.findall(r"\w+", line)})
ids = {w: i for i, w in enumerate(words)}


def collate(batch):
    bags = [torch.tensor([ids[w] for w in re.findall(r"\w+", line)] or [0]) for line, _ in batch]
    offsets = torch.tensor([0, *map(len, bags)]).cumsum(0)[:-1]
    return torch.cat(bags), offsets, torch.tensor([k for _, k in batch])


class Bag(nn.Module):
    def __init__(self):
        super().__init__()
        self.bag = nn.EmbeddingBag(len(words), 24, mode="mean")
        self.fc = nn.Linear(24, len(modules))

    def forward(self, text, offsets):
        return self.fc(self.bag(text, offsets))


cut = len(lines) * 4 // 5
train = torch.utils.data.DataLoader(lines[:cut], batch_size=64, shuffle=True, collate_fn=collate)
model = Bag()
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for epoch in range(8):
    for text, offsets, label in train:
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(text, offsets), label)
        loss.backward()
        opt.step()
    with torch.no_grad():
        text, offsets, label = collate(lines[cut:])
        print(epoch, loss.item(), "test accuracy", (model(text, offsets).argmax(1) == label).float().mean().item())
