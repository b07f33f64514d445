import torch
import torch.nn as nn

torch.manual_seed(0)


class Recall(nn.Module):
    """Says which symbol came first in a sequence of six."""

    def __init__(self, symbols=8, hidden=40):
        super().__init__()
        self.embedding = nn.Embedding(symbols, 16)
        self.lstm = nn.LSTM(16, hidden, batch_first=True)
        self.out = nn.Linear(hidden, symbols)

    def forward(self, x):
        _, (h, _) = self.lstm(self.embedding(x))
        return self.out(h.squeeze(0))


model = Recall()
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(500):
    x = torch.randint(0, 8, (48, 6))
    loss = nn.functional.cross_entropy(model(x), x[:, 0])
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    if step % 100 == 0:
        print(step, loss.item())
x = torch.randint(0, 8, (500, 6))
print("accuracy", (model(x).argmax(1) == x[:, 0]).float().mean().item())
