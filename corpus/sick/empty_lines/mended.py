"""Guess whether a line of the Zen of Python comes from its first or its second half."""
import codecs
import math
import this

import torch
import torch.nn as nn
import torch.nn.functional as F

text = codecs.decode(this.s, "rot13")
lines = [line for line in text.split("\n") if line]
alphabet = sorted(set(text))
LONGEST = max(map(len, lines))


def encode(line):
    ids = [alphabet.index(c) + 1 for c in line]
    return ids + [0] * (LONGEST - len(ids))


tokens = torch.tensor([encode(line) for line in lines])
labels = torch.tensor([int(i > len(lines) // 2) for i in range(len(lines))])


class Block(nn.Module):
    def __init__(self, dim, heads):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim))

    def attend(self, x, pad):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        scores = q @ k.transpose(-2, -1) / math.sqrt(d // self.heads)
        scores = scores.masked_fill(pad[:, None, None, :], float("-inf"))
        weights = scores.softmax(dim=-1)
        return self.proj((weights @ v).transpose(1, 2).reshape(b, t, d))

    def forward(self, x, pad):
        x = x + self.attend(self.norm1(x), pad)
        return x + self.mlp(self.norm2(x))


class Classifier(nn.Module):
    def __init__(self, dim=32):
        super().__init__()
        self.embed = nn.Embedding(len(alphabet) + 1, dim, padding_idx=0)
        self.place = nn.Parameter(torch.randn(LONGEST, dim) * 0.02)
        self.blocks = nn.ModuleList(Block(dim, 4) for _ in range(2))
        self.head = nn.Linear(dim, 2)

    def forward(self, tokens):
        pad = tokens == 0
        x = self.embed(tokens) + self.place
        for block in self.blocks:
            x = block(x, pad)
        keep = (~pad).unsqueeze(-1).float()
        return self.head((x * keep).sum(1) / keep.sum(1).clamp_min(1))


torch.manual_seed(3)
model = Classifier()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(160):
    pick = torch.randint(0, len(lines), (8,))
    loss = F.cross_entropy(model(tokens[pick]), labels[pick])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 20 == 0:
        print(step, loss.item())
print("loss", F.cross_entropy(model(tokens), labels).item())
