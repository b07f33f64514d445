"""A word model whose weights are moved by hand; the rate goes down when validation stalls."""

import collections
import inspect
import re
import textwrap
from argparse import ArgumentParser
from logging import Logger

import torch
from torch import nn

torch.manual_seed(0)
source = inspect.getsource(ArgumentParser) + inspect.getsource(Logger) + inspect.getsource(textwrap)
words = re.findall(r"\w+|\n", source)
known = [w for w, _ in collections.Counter(words).most_common(160)]
number = {w: i + 1 for i, w in enumerate(known)}
ids = torch.tensor([number.get(w, 0) for w in words])
cut = int(0.85 * len(ids))
STREAMS, SPAN = 8, 16


def streams(part):
    rows = len(part) // STREAMS
    return part[: rows * STREAMS].view(STREAMS, rows)


class WordModel(nn.Module):
    def __init__(self, size=len(known) + 1, width=80):
        super().__init__()
        self.embedding = nn.Embedding(size, width)
        self.cells = nn.LSTM(width, width, num_layers=2, batch_first=True)
        self.scores = nn.Linear(width, size)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        nn.init.uniform_(self.scores.weight, -0.1, 0.1)

    def forward(self, tokens, state=None):
        hidden, state = self.cells(self.embedding(tokens), state)
        return torch.log_softmax(self.scores(hidden), dim=-1), state


def spans(rows):
    for start in range(0, rows.size(1) - 1, SPAN):
        width = min(SPAN, rows.size(1) - 1 - start)
        yield rows[:, start : start + width], rows[:, start + 1 : start + 1 + width]


model, nll = WordModel(), nn.NLLLoss()
training, held_out = streams(ids[:cut]), streams(ids[cut:])
rate, best = 15.0, float("inf")
for epoch in range(22):
    state = None
    for tokens, following in spans(training):
        if state is not None:
            state = tuple(s.detach() for s in state)
        log_p, state = model(tokens, state)
        loss = nll(log_p.flatten(0, 1), following.flatten())
        model.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 0.25)
        for p in model.parameters():
            p.data.add_(p.grad, alpha=-rate)
    with torch.no_grad():
        state, losses = None, []
        for tokens, following in spans(held_out):
            log_p, state = model(tokens, state)
            losses.append(nll(log_p.flatten(0, 1), following.flatten()).item())
    held = sum(losses) / len(losses)
    print(f"epoch {epoch}: training {loss.item():.3f}, held out {held:.3f}, rate {rate:.3g}")
    if held < best:
        best = held
    else:
        rate /= 4
