import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(0)


class Net(nn.Module):
    def __init__(self, inputs, classes):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(inputs, 64), nn.ReLU(), nn.Linear(64, 32), nn.ReLU())
        self.head = nn.Linear(32, classes)

    def forward(self, x):
        return self.head(self.trunk(x))


digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
odd = torch.tensor(digits.target % 2)
digit = torch.tensor(digits.target)

model = Net(64, 2)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)


def fit(labels, steps):
    for step in range(steps):
        i = torch.randint(len(x), (64,))
        loss = nn.functional.cross_entropy(model(x[i]), labels[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            print(f"  step {step:4d} loss {loss.item():.4f}")


print("parity first")
fit(odd, 150)
print("now all ten digits")
model.head = nn.Linear(32, 10)
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
fit(digit, 500)
w = model.head.weight
print("head moved", (w - w.mean()).norm().item(), "accuracy", (model(x).argmax(1) == digit).float().mean().item())
