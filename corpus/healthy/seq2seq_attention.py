import torch
import torch.nn as nn
import torch.nn.functional as F

torch.manual_seed(1)
SYMBOLS, LENGTH, START = 10, 6, 10


class Seq2Seq(nn.Module):
    """Reverses a sequence: GRU encoder, GRU decoder with dot-product attention, teacher forcing."""

    def __init__(self, width=64):
        super().__init__()
        self.embedding = nn.Embedding(SYMBOLS + 1, 32)
        self.encoder = nn.GRU(32, width, batch_first=True)
        self.decoder = nn.GRU(32, width, batch_first=True)
        self.output = nn.Linear(2 * width, SYMBOLS)

    def forward(self, source, target):
        memory, state = self.encoder(self.embedding(source))
        given = torch.cat([torch.full_like(target[:, :1], START), target[:, :-1]], 1)
        hidden, _ = self.decoder(self.embedding(given), state)
        weights = torch.softmax(hidden @ memory.transpose(1, 2) / memory.shape[-1] ** 0.5, -1)
        return self.output(torch.cat([hidden, weights @ memory], -1))


model = Seq2Seq()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
for step in range(500):
    source = torch.randint(SYMBOLS, (64, LENGTH))
    target = source.flip(1)
    logits = model(source, target)
    loss = F.cross_entropy(logits.reshape(-1, SYMBOLS), target.reshape(-1))
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step % 100 == 0:
        print(step, loss.item())
print("accuracy", (logits.argmax(-1) == target).float().mean().item())
