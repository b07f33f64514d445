import inspect
import textwrap
import tokenize

import torch
from torch import nn

text = inspect.getsource(textwrap) + inspect.getsource(tokenize)
letters = sorted(set(text))
codes = torch.tensor([letters.index(c) for c in text])


class CharLM(nn.Module):
    def __init__(self, size, width=256):
        super().__init__()
        self.embed = nn.Embedding(size, width)
        nn.init.normal_(self.embed.weight, std=0.02)
        self.mix = nn.GRU(width, width, batch_first=True)
        self.norm = nn.LayerNorm(width)
        self.decode = nn.Linear(width, size, bias=False)
        self.decode.weight = self.embed.weight

    def forward(self, ids):
        hidden, _ = self.mix(self.embed(ids))
        return self.decode(self.norm(hidden))


def batch(size=12, length=24):
    starts = torch.randint(len(codes) - length - 1, (size,))
    window = torch.stack([codes[s : s + length + 1] for s in starts])
    return window[:, :-1], window[:, 1:]


torch.manual_seed(3)
model = CharLM(len(letters))
optimizer = torch.optim.Adam(model.parameters(), lr=3e-4)
for step in range(160):
    ids, following = batch()
    logits = model(ids)
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), following.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 40 == 0:
        print(step, round(loss.item(), 3))
print("final loss", loss.item())
