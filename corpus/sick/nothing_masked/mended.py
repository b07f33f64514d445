import random
import re
import typing

import torch
import torch.nn.functional as F
from torch import nn

torch.manual_seed(0)
random.seed(0)
words = re.findall(r"[a-z_]+", open(typing.__file__).read().lower())
vocab = {w: i + 2 for i, w in enumerate(sorted(set(words)))}
PAD, MASK, IGNORE = 0, 1, -100
ids = torch.tensor([vocab[w] for w in words])
LENGTH, BATCH = 12, 2


class MaskedModel(nn.Module):
    def __init__(self, size=64):
        super().__init__()
        self.tokens = nn.Embedding(len(vocab) + 2, size)
        self.places = nn.Parameter(torch.randn(LENGTH, size) * 0.02)
        layer = nn.TransformerEncoderLayer(size, 4, 128, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(size, len(vocab) + 2)

    def forward(self, x):
        return self.head(self.encoder(self.tokens(x) + self.places))


def hide(batch, p=0.15):
    chosen = torch.rand(batch.shape) < p
    chosen[:, random.randrange(LENGTH)] = True
    labels = torch.where(chosen, batch, IGNORE)
    return torch.where(chosen, MASK, batch), labels


model = MaskedModel()
opt = torch.optim.AdamW(model.parameters(), lr=1e-3)
for step in range(150):
    starts = [random.randrange(len(ids) - LENGTH) for _ in range(BATCH)]
    x, labels = hide(torch.stack([ids[s : s + LENGTH] for s in starts]))
    logits = model(x)
    loss = F.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=IGNORE)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 25 == 0:
        print(step, loss.item())
