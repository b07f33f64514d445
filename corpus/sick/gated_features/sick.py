import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(11)


class ChannelGate(nn.Module):
    """Learns how much of each feature to let through."""

    def __init__(self, features):
        super().__init__()
        self.logit = nn.Parameter(torch.full((features,), -14.0))

    def forward(self, x):
        return x * torch.sigmoid(self.logit)


class GatedNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 96), nn.ReLU())
        self.gate = ChannelGate(96)
        self.tail = nn.Sequential(nn.Linear(96, 96), nn.ReLU(), nn.Linear(96, 10))

    def forward(self, x):
        return self.tail(self.gate(self.stem(x)))


X, y = load_digits(return_X_y=True)
Xtr, Xte, ytr, yte = train_test_split(X / 8 - 1, y, random_state=0)
loader = DataLoader(TensorDataset(torch.tensor(Xtr).float(), torch.tensor(ytr)), batch_size=32, shuffle=True)
Xte, yte = torch.tensor(Xte).float(), torch.tensor(yte)

model = GatedNet()
opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
loss_fn = nn.CrossEntropyLoss()
for epoch in range(1, 13):
    model.train()
    for xb, yb in loader:
        opt.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        opt.step()
    model.eval()
    with torch.no_grad():
        acc = (model(Xte).argmax(1) == yte).float().mean().item()
    print(f"epoch {epoch:2d}  last loss {loss.item():.4f}  test accuracy {acc:.3f}")
