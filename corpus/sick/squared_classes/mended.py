import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


class Perceptron(nn.Module):
    def __init__(self, hidden=100):
        super().__init__()
        self.hidden = nn.Linear(64, hidden)
        self.out = nn.Linear(hidden, 10)
        for layer in (self.hidden, self.out):
            nn.init.normal_(layer.weight, std=0.5)
            nn.init.zeros_(layer.bias)

    def forward(self, x):
        h = F.relu(self.hidden(x))
        return self.out(h)


torch.manual_seed(0)
digits = load_digits()
xtr, xte, ytr, yte = train_test_split(digits.data / 16, digits.target, random_state=0)
xtr, xte = torch.tensor(xtr, dtype=torch.float32), torch.tensor(xte, dtype=torch.float32)
ytr, yte = torch.tensor(ytr), torch.tensor(yte)

net = Perceptron()
criterion = nn.CrossEntropyLoss()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(15):
    for idx in torch.randperm(len(xtr)).split(50):
        scores = net(xtr[idx])
        loss = criterion(scores, ytr[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"epoch {epoch} loss {loss.item():.4f}")
with torch.no_grad():
    print("test accuracy", (net(xte).argmax(1) == yte).float().mean().item())
