"""A character model whose forward takes the labels and gives the loss; both splits evaluated."""
import argparse
import inspect

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
text = inspect.getsource(argparse)[:60000]
letters = sorted(set(text))
ids = torch.tensor([letters.index(c) for c in text])
train, held = ids[:54000], ids[54000:]
T, D = 48, 48


def batch(source, size=12):
    at = torch.randint(len(source) - T - 1, (size,))
    rows = torch.stack([source[i : i + T + 1] for i in at])
    return rows[:, :-1].contiguous(), rows[:, 1:].contiguous()


class Layer(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.LayerNorm(D), nn.LayerNorm(D)
        self.mix, self.back = nn.Linear(D, 3 * D, bias=False), nn.Linear(D, D, bias=False)
        self.wide, self.narrow = nn.Linear(D, 4 * D), nn.Linear(4 * D, D)

    def forward(self, x):
        q, k, v = (p.unflatten(-1, (4, -1)).transpose(1, 2) for p in self.mix(self.a(x)).chunk(3, -1))
        seen = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.back(seen.transpose(1, 2).flatten(2))
        return x + self.narrow(F.gelu(self.wide(self.b(x))))


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.token, self.place = nn.Embedding(len(letters), D), nn.Embedding(T, D)
        self.layers, self.end = nn.Sequential(Layer(), Layer()), nn.LayerNorm(D)
        self.head = nn.Linear(D, len(letters), bias=False)
        for p in self.parameters():
            if p.dim() > 1:
                nn.init.normal_(p, std=0.02)
        self.head.weight = self.token.weight

    def forward(self, x, labels=None):
        h = self.token(x) + self.place(torch.arange(x.shape[1]))
        logits = self.head(self.end(self.layers(h)))
        return logits, None if labels is None else F.cross_entropy(logits.flatten(0, 1), labels.flatten())


@torch.no_grad()
def evaluate():
    model.eval()
    losses = [torch.stack([model(*batch(s))[1] for _ in range(4)]).mean().item() for s in (train, held)]
    model.train()
    return losses


model = Model()
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3, betas=(0.9, 0.99), weight_decay=0.1)
x, y = batch(train)
for step in range(240):
    for group in optimizer.param_groups:
        group["lr"] = 3e-3 * min((step + 1) / 20, 1 - step / 300)
    if step % 80 == 0:
        print(step, *evaluate())
    for _ in range(2):
        _, loss = model(x, y)
        x, y = batch(train)
        (loss / 2).backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)
print("end", *evaluate())
