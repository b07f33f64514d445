"""Skip-gram word vectors with sparse gradients."""
import inspect
import re
import argparse as corpus_module

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(0)
tokens = re.findall(r"[a-z_]+", inspect.getsource(corpus_module).lower())
vocab = sorted(set(tokens))
ids = torch.tensor([vocab.index(t) for t in tokens])
center = nn.Embedding(len(vocab), 24, sparse=True)
context = nn.Embedding(len(vocab), 24, sparse=True)
nn.init.normal_(center.weight, std=0.3)
nn.init.normal_(context.weight, std=0.3)
optimizer = torch.optim.SparseAdam([*center.parameters(), *context.parameters()], lr=0.01)
first = None
for step in range(800):
    i = torch.randint(2, len(ids) - 2, (256,))
    offset = torch.tensor([-2, -1, 1, 2])[torch.randint(4, (256,))]
    positive = ids[i + offset]
    negative = ids[torch.randint(len(ids), (256, 4))]
    c = center(ids[i])
    pos = (c * context(positive)).sum(-1)
    neg = torch.einsum("bd,bkd->bk", c, context(negative))
    loss = -F.logsigmoid(pos).mean() - F.logsigmoid(-neg).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    first = first or loss.item()
    if step % 100 == 0:
        print(step, loss.item())
print(f"loss from {first:.3f} to {loss.item():.3f}")
