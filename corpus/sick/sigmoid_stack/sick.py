"""A deep fully connected network on the handwritten digits."""
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

torch.manual_seed(0)


class DeepNet(nn.Module):
    def __init__(self, depth=12, width=64):
        super().__init__()
        blocks = [nn.Linear(64, width), nn.Sigmoid()]
        for _ in range(depth - 2):
            blocks += [nn.Linear(width, width), nn.Sigmoid()]
        self.layers = nn.Sequential(*blocks)
        self.out = nn.Linear(width, 10)

    def forward(self, x):
        return self.out(self.layers(x))


X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X / 16.0, y, test_size=0.2, random_state=0)
X_train = torch.tensor(X_train, dtype=torch.float32)
X_test = torch.tensor(X_test, dtype=torch.float32)
y_train, y_test = torch.tensor(y_train), torch.tensor(y_test)

model = DeepNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
criterion = nn.CrossEntropyLoss()

for epoch in range(25):
    order = torch.randperm(len(X_train))
    total = 0.0
    for i in range(0, len(order), 64):
        idx = order[i : i + 64]
        optimizer.zero_grad()
        loss = criterion(model(X_train[idx]), y_train[idx])
        loss.backward()
        optimizer.step()
        total += loss.item() * len(idx)
    if epoch % 5 == 0:
        print(f"epoch {epoch}: loss {total / len(order):.4f}")

with torch.no_grad():
    accuracy = (model(X_test).argmax(1) == y_test).float().mean()
print(f"test accuracy {accuracy:.3f}")
