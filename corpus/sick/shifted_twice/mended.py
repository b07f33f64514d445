import argparse
import textwrap

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

torch.manual_seed(0)
SOURCE = open(argparse.__file__).read() + open(textwrap.__file__).read()


class Windows(Dataset):
    """Pairs of a piece of text and the same piece one character on."""

    def __init__(self, text, length=40, stride=13):
        self.vocab = sorted(set(text))
        index = {c: i for i, c in enumerate(self.vocab)}
        self.ids = torch.tensor([index[c] for c in text[:60_000]])
        self.length, self.stride = length, stride

    def __len__(self):
        return (len(self.ids) - self.length - 1) // self.stride

    def __getitem__(self, i):
        start = i * self.stride
        return self.ids[start : start + self.length], self.ids[start + 1 : start + self.length + 1]


class GRULanguageModel(nn.Module):
    def __init__(self, vocab, size=96):
        super().__init__()
        self.embed = nn.Embedding(vocab, 32)
        self.rnn = nn.GRU(32, size, batch_first=True)
        self.out = nn.Linear(size, vocab)

    def forward(self, ids):
        hidden, _ = self.rnn(self.embed(ids))
        return self.out(hidden)


def lm_loss(logits, labels):
    return nn.functional.cross_entropy(logits.view(-1, logits.shape[-1]), labels.view(-1))


windows = Windows(SOURCE)
model = GRULanguageModel(len(windows.vocab))
opt = torch.optim.Adam(model.parameters(), lr=3e-3)
loader = DataLoader(windows, batch_size=32, shuffle=True)
for epoch in range(1):
    for step, (ids, labels) in enumerate(loader):
        loss = lm_loss(model(ids), labels)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        opt.step()
        if step % 30 == 0:
            print(step, round(loss.item(), 3))
