import math
import this  # noqa: F401  prints; its text is the data
from codecs import decode

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(2)
text = decode(this.s, "rot13") * 4
letters = sorted(set(text))
ids = torch.tensor([letters.index(c) for c in text])


class Reader(nn.Module):
    def __init__(self, vocabulary, width=48):
        super().__init__()
        self.embedding = nn.Embedding(vocabulary, width)
        nn.init.normal_(self.embedding.weight, std=1 / math.sqrt(width))
        self.gru = nn.GRU(width, width, batch_first=True)
        self.decoder = nn.Linear(width, vocabulary)
        self.tie_weights()

    def tie_weights(self):
        self.decoder.weight.data.copy_(self.embedding.weight.data)

    def forward(self, x):
        h, _ = self.gru(self.embedding(x))
        return self.decoder(h)


model = Reader(len(letters))
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
for step in range(240):
    start = torch.randint(0, len(ids) - 41, (24,))
    window = torch.stack([ids[s : s + 41] for s in start])
    logits = model(window[:, :-1])
    loss = F.cross_entropy(logits.flatten(0, 1), window[:, 1:].flatten())
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
print("parameters", sum(p.numel() for p in model.parameters()), "loss", loss.item())
