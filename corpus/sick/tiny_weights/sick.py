import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(21)


class Classifier(nn.Module):
    def __init__(self, hidden_layers=7):
        super().__init__()
        body = [nn.Linear(64, 128), nn.ReLU()]
        for _ in range(hidden_layers):
            body.append(nn.Linear(128, 128))
            body.append(nn.ReLU())
        self.body = nn.Sequential(*body)
        self.head = nn.Linear(128, 10)
        self.apply(self.reset)

    @staticmethod
    def reset(m):
        if isinstance(m, nn.Linear):
            nn.init.normal_(m.weight, mean=0.0, std=0.01)
            nn.init.zeros_(m.bias)

    def forward(self, x):
        return self.head(self.body(x))


def batches(x, y, size):
    perm = torch.randperm(len(x))
    for chunk in perm.split(size):
        yield x[chunk], y[chunk]


digits = load_digits()
x = torch.tensor(digits.data, dtype=torch.float32) / 16
y = torch.tensor(digits.target)
x_train, y_train, x_test, y_test = x[:1400], y[:1400], x[1400:], y[1400:]

model = Classifier()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
for epoch in range(24):
    for xb, yb in batches(x_train, y_train, 64):
        loss = nn.functional.cross_entropy(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 4 == 0:
        print(f"[{epoch}] {loss.item():.5f}")
with torch.no_grad():
    print("accuracy", (model(x_test).argmax(1) == y_test).float().mean().item())
