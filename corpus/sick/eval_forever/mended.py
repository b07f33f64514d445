import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
d = load_digits()
Xtr, Xva, ytr, yva = train_test_split(d.images, d.target, test_size=0.2, random_state=2, stratify=d.target)


def as_set(x, y):
    return TensorDataset(torch.tensor(x / 16, dtype=torch.float32).unsqueeze(1), torch.tensor(y))


train_loader = DataLoader(as_set(Xtr, ytr), batch_size=64, shuffle=True)
val_loader = DataLoader(as_set(Xva, yva), batch_size=128)

model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
    nn.Conv2d(16, 32, 3, padding=1, stride=2), nn.BatchNorm2d(32), nn.ReLU(),
    nn.Dropout(0.3),
    nn.Flatten(),
    nn.Linear(512, 10),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
criterion = nn.CrossEntropyLoss()

for epoch in range(10):
    model.train()
    for x, y in train_loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()

    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in val_loader:
            correct += (model(x).argmax(1) == y).sum().item()
    print(f"epoch {epoch}: loss {loss.item():.4f}, val accuracy {correct / len(yva):.4f}")
