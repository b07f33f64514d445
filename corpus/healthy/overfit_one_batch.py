"""Sanity check before the long run: can the network learn one batch by heart?"""
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
digits = load_digits()
dataset = TensorDataset(torch.tensor(digits.images / 16.0, dtype=torch.float32)[:, None], torch.tensor(digits.target))
images, labels = next(iter(DataLoader(dataset, batch_size=16, shuffle=True)))

model = nn.Sequential(
    nn.Conv2d(1, 12, 3), nn.ReLU(), nn.Conv2d(12, 24, 3), nn.ReLU(), nn.Flatten(), nn.Linear(24 * 16, 10)
)
optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
criterion = nn.CrossEntropyLoss()
for step in range(200):
    optimizer.zero_grad()
    loss = criterion(model(images), labels)
    loss.backward()
    optimizer.step()
    if step % 25 == 0:
        print(f"step {step:3d} loss {loss.item():.5f}")
assert loss.item() < 0.05, "it cannot even learn sixteen images"
print("learnt by heart; accuracy", (model(images).argmax(1) == labels).float().mean().item())
