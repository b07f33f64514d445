import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)


def digits(batch_size=32):
    d = load_digits()
    data = TensorDataset(torch.tensor(d.images / 16, dtype=torch.float32), torch.tensor(d.target))
    return DataLoader(data, batch_size, shuffle=True)


class RowReader(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.gru = nn.GRU(8, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 10)

    def forward(self, x):
        return self.out(self.gru(x)[0][:, -1])


def train_epoch(model, loader, criterion, optimizer):
    total, right = 0.0, 0
    for x, y in loader:
        optimizer.zero_grad()
        scores = model(x)
        loss = criterion(scores, y)
        loss.backward()
        total += loss.item() * len(x)
        right += (scores.argmax(1) == y).sum().item()
    optimizer.step()
    return total / len(loader.dataset), right / len(loader.dataset)


loader = digits()
model = RowReader()
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(10):
    loss, accuracy = train_epoch(model, loader, nn.CrossEntropyLoss(), optimizer)
    print(f"{epoch}: loss {loss:.4f}, accuracy {accuracy:.3f}")
