import torch
import torch.nn as nn
from torch.nn.utils import clip_grad_norm_


class CountLSTM(nn.Module):
    """Reads a sequence of bits and says how many ones there were, modulo four."""

    def __init__(self, hidden=32):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.readout = nn.Linear(hidden, 4)

    def forward(self, bits):
        states, _ = self.lstm(bits)
        return self.readout(states[:, -1])


def sample(n, length=6):
    bits = torch.randint(0, 2, (n, length, 1)).float()
    return bits, bits.sum((1, 2)).long() % 4


torch.manual_seed(0)
model = CountLSTM()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
criterion = nn.CrossEntropyLoss()
for step in range(600):
    x, y = sample(64)
    optimizer.zero_grad()
    loss = criterion(model(x), y)
    loss.backward()
    clip_grad_norm_(model.parameters(), max_norm=1.0)
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step}: loss {loss.item():.4f}")
x, y = sample(1000)
print("accuracy", (model(x).argmax(1) == y).float().mean().item())
