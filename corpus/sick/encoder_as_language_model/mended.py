"""Character-level language model on the source of a standard module."""

import argparse
import math

import torch
import torch.nn as nn
import torch.nn.functional as F

parser = argparse.ArgumentParser()
parser.add_argument("--steps", type=int, default=420)
parser.add_argument("--context", type=int, default=24)
parser.add_argument("--batch", type=int, default=16)
parser.add_argument("--lr", type=float, default=4e-3)
args = parser.parse_args()

torch.manual_seed(7)
with open(argparse.__file__, encoding="utf-8") as source:
    text = source.read()
alphabet = sorted(set(text))
index = {letter: i for i, letter in enumerate(alphabet)}
ids = torch.tensor([index[letter] for letter in text])
train_ids, valid_ids = ids[: int(0.9 * len(ids))], ids[int(0.9 * len(ids)) :]


def sample(part):
    starts = torch.randint(0, len(part) - args.context - 1, (args.batch,))
    windows = torch.stack([part[s : s + args.context + 1] for s in starts])
    return windows[:, :-1], windows[:, 1:]


class PositionalEncoding(nn.Module):
    def __init__(self, width, length):
        super().__init__()
        position = torch.arange(length).unsqueeze(1)
        rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
        table = torch.zeros(length, width)
        table[:, 0::2] = torch.sin(position * rate)
        table[:, 1::2] = torch.cos(position * rate)
        self.register_buffer("table", table)

    def forward(self, x):
        return x + self.table[: x.size(1)]


class LanguageModel(nn.Module):
    def __init__(self, vocabulary, width=64, heads=4, layers=2):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        self.position = PositionalEncoding(width, args.context)
        layer = nn.TransformerEncoderLayer(
            width, heads, dim_feedforward=2 * width, dropout=0.0, batch_first=True, norm_first=True
        )
        self.encoder = nn.TransformerEncoder(layer, layers, enable_nested_tensor=False)
        self.decoder = nn.Linear(width, vocabulary)

    def forward(self, tokens):
        x = self.position(self.embedding(tokens))
        mask = nn.Transformer.generate_square_subsequent_mask(tokens.size(1))
        return self.decoder(self.encoder(x, mask=mask, is_causal=True))


model = LanguageModel(len(alphabet))
optimizer = torch.optim.AdamW(model.parameters(), lr=args.lr)


@torch.no_grad()
def validate(batches=5):
    model.eval()
    total = 0.0
    for _ in range(batches):
        tokens, following = sample(valid_ids)
        total += F.cross_entropy(model(tokens).flatten(0, 1), following.flatten()).item()
    model.train()
    return total / batches


for step in range(1, args.steps + 1):
    tokens, following = sample(train_ids)
    loss = F.cross_entropy(model(tokens).flatten(0, 1), following.flatten())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 60 == 0:
        print(f"step {step}: train {loss.item():.3f}, valid {validate():.3f}")
