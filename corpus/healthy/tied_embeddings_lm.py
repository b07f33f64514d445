import inspect
import json.decoder
import math
import re
from collections import Counter

import torch
import torch.nn as nn
import torch.nn.functional as F

words = re.findall(r"\w+|[^\w\s]", inspect.getsource(json.decoder))
vocab = [w for w, _ in Counter(words).most_common(250)] + ["<unk>"]
index = {w: i for i, w in enumerate(vocab)}
ids = torch.tensor([index.get(w, len(vocab) - 1) for w in words])


class GRULM(nn.Module):
    def __init__(self, n, d=48):
        super().__init__()
        self.embedding = nn.Embedding(n, d)
        nn.init.normal_(self.embedding.weight, std=0.05)
        self.rnn = nn.GRU(d, d, batch_first=True)
        self.decoder = nn.Linear(d, n)
        self.decoder.weight = self.embedding.weight  # tied

    def forward(self, x):
        out, _ = self.rnn(self.embedding(x))
        return self.decoder(out)


torch.manual_seed(0)
model = GRULM(len(vocab))
opt = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(300):
    s = torch.randint(len(ids) - 21, (16,))
    seq = torch.stack([ids[i : i + 21] for i in s])
    loss = F.cross_entropy(model(seq[:, :-1]).transpose(1, 2), seq[:, 1:])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 50 == 0 or step == 299:
        print(f"step {step}: perplexity {math.exp(loss.item()):.1f} of {len(vocab)}")
