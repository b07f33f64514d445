# A small pre-LN transformer over the characters of the Zen of Python and some library source.
import codecs
import contextlib
import inspect
import io
import math
import string
from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F

with contextlib.redirect_stdout(io.StringIO()):
    import this


@dataclass
class Config:
    block: int = 24
    dim: int = 32
    heads: int = 4
    layers: int = 2
    lr: float = 4e-3
    steps: int = 500
    warmup: int = 50


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = c.heads
        self.qkv = nn.Linear(c.dim, 3 * c.dim, bias=False)
        self.proj = nn.Linear(c.dim, c.dim)

    def forward(self, x):
        b, t, d = x.shape
        q, k, v = (z.view(b, t, self.heads, -1).transpose(1, 2) for z in self.qkv(x).chunk(3, dim=-1))
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.proj(out.transpose(1, 2).reshape(b, t, d))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.ln1, self.ln2 = nn.LayerNorm(c.dim), nn.LayerNorm(c.dim)
        self.attn = Attention(c)
        self.mlp = nn.Sequential(nn.Linear(c.dim, 4 * c.dim), nn.GELU(), nn.Linear(4 * c.dim, c.dim))

    def forward(self, x):
        x = x + self.attn(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class CharLM(nn.Module):
    def __init__(self, vocab, c):
        super().__init__()
        self.tok = nn.Embedding(vocab, c.dim)
        self.pos = nn.Parameter(torch.zeros(c.block, c.dim))
        self.blocks = nn.ModuleList(Block(c) for _ in range(c.layers))
        self.ln = nn.LayerNorm(c.dim)
        self.head = nn.Linear(c.dim, vocab)

    def forward(self, ids):
        x = self.tok(ids) + self.pos[: ids.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.ln(x))


def main(c=Config()):
    torch.manual_seed(0)
    text = codecs.decode(this.s, "rot13") + inspect.getsource(string)
    vocab = sorted(set(text))
    ids = torch.tensor([vocab.index(ch) for ch in text])
    model = CharLM(len(vocab), c)
    opt = torch.optim.AdamW(model.parameters(), lr=c.lr, weight_decay=0.01, betas=(0.9, 0.98))
    schedule = lambda s: min((s + 1) / c.warmup, 0.5 * (1 + math.cos(math.pi * min(s / c.steps, 1.0))))
    sched = torch.optim.lr_scheduler.LambdaLR(opt, schedule)
    for step in range(c.steps):
        start = torch.randint(len(ids) - c.block - 1, (16,))
        chunk = torch.stack([ids[s : s + c.block + 1] for s in start])
        logits = model(chunk[:, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), chunk[:, 1:].flatten())
        opt.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        sched.step()
        if step % 100 == 0 or step == c.steps - 1:
            print(f"step {step} loss {loss.item():.3f} (uniform would be {math.log(len(vocab)):.3f})")


if __name__ == "__main__":
    main()
