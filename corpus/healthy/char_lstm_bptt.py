import string
import textwrap

import torch
from torch import nn

# Text: a module of the standard library. State is carried from piece to piece, its history is not.
text = open(textwrap.__file__, encoding="utf-8").read()
vocabulary = sorted(set(text))
index = {c: i for i, c in enumerate(vocabulary)}
data = torch.tensor([index[c] for c in text])
lanes, piece = 16, 24
data = data[: len(data) // lanes * lanes].view(lanes, -1)


class CharLSTM(nn.Module):
    def __init__(self, n, width=64):
        super().__init__()
        self.embed = nn.Embedding(n, 24)
        self.lstm = nn.LSTM(24, width, batch_first=True)
        self.head = nn.Linear(width, n)

    def forward(self, x, state):
        h, state = self.lstm(self.embed(x), state)
        return self.head(h), state


torch.manual_seed(0)
net = CharLSTM(len(vocabulary))
optimizer = torch.optim.RMSprop(net.parameters(), lr=4e-3)
for epoch in range(6):
    state, total, pieces = None, 0.0, 0
    for start in range(0, data.shape[1] - piece - 1, piece):
        x, y = data[:, start : start + piece], data[:, start + 1 : start + piece + 1]
        logits, state = net(x, state)
        state = tuple(s.detach() for s in state)
        loss = nn.functional.cross_entropy(logits.flatten(0, 1), y.flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
        total, pieces = total + loss.item(), pieces + 1
    print(f"epoch {epoch}: {total / pieces:.3f} nats a character")
sample, state = "".join(c for c in "def " if c in string.printable), None
x = torch.tensor([[index[c] for c in sample]])
for _ in range(60):
    with torch.no_grad():
        logits, state = net(x, state)
    x = torch.multinomial(logits[:, -1].softmax(-1), 1)
    sample += vocabulary[x.item()]
print(repr(sample))
