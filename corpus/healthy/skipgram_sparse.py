import collections
import inspect
import optparse
import re

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
words = re.findall(r"[a-z]+", inspect.getsource(optparse).lower())
vocab = [w for w, c in collections.Counter(words).most_common() if c >= 4]
index = {w: i for i, w in enumerate(vocab)}
ids = [index[w] for w in words if w in index]
pairs = torch.tensor(
    [
        (ids[i], ids[j])
        for i in range(len(ids))
        for j in range(max(0, i - 2), min(len(ids), i + 3))
        if i != j
    ]
)
noise = torch.bincount(torch.tensor(ids), minlength=len(vocab)).float() ** 0.75


class SkipGram(nn.Module):
    def __init__(self, n, dim):
        super().__init__()
        self.u = nn.Embedding(n, dim, sparse=True)
        self.v = nn.Embedding(n, dim, sparse=True)
        nn.init.uniform_(self.u.weight, -0.5 / dim, 0.5 / dim)
        nn.init.constant_(self.v.weight, 0)

    def forward(self, pos_u, pos_v, neg_v):
        emb_u, emb_v, emb_neg = self.u(pos_u), self.v(pos_v), self.v(neg_v)
        score = F.logsigmoid(torch.sum(emb_u * emb_v, dim=1))
        neg = F.logsigmoid(-torch.bmm(emb_neg, emb_u.unsqueeze(2)).squeeze(2)).sum(1)
        return -torch.mean(score + neg)


model = SkipGram(len(vocab), 32)
optimizer = torch.optim.SparseAdam(list(model.parameters()), lr=0.01)
scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 500)
for step in range(500):
    b = pairs[torch.randint(0, len(pairs), (128,))]
    neg = torch.multinomial(noise, 128 * 5, replacement=True).view(128, 5)
    optimizer.zero_grad()
    loss = model(b[:, 0], b[:, 1], neg)
    loss.backward()
    optimizer.step()
    scheduler.step()
    if step % 100 == 0:
        print(step, loss.item())
print("final", loss.item(), "chance", 6 * 0.6931)
