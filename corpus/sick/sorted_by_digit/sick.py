import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, Dataset


class DigitFolders(Dataset):
    """Images grouped by class, as they would lie in one folder a class."""

    def __init__(self, per_class=150):
        d = load_digits()
        keep = np.concatenate([np.flatnonzero(d.target == k)[:per_class] for k in range(10)])
        self.images = torch.tensor(d.images[keep] / 16, dtype=torch.float32).unsqueeze(1)
        self.labels = torch.tensor(d.target[keep])

    def __len__(self):
        return len(self.labels)

    def __getitem__(self, i):
        return self.images[i], self.labels[i]


torch.manual_seed(0)
dataset = DigitFolders()
loader = DataLoader(dataset, batch_size=50)

model = nn.Sequential(
    nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Linear(256, 64), nn.ReLU(), nn.Linear(64, 10),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
criterion = nn.CrossEntropyLoss()
for epoch in range(12):
    total = 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(images), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    print(f"epoch {epoch}: {total / len(loader):.4f}")
with torch.no_grad():
    print("accuracy", (model(dataset.images).argmax(1) == dataset.labels).float().mean().item())
