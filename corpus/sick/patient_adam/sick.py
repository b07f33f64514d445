import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(10)
digits = load_digits()
images = torch.tensor(digits.images, dtype=torch.float32).reshape(-1, 64) / 16
labels = torch.tensor(digits.target)

model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
criterion = nn.CrossEntropyLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-6)

losses = []
for step in range(800):
    idx = torch.randint(0, len(images), (64,))
    loss = criterion(model(images[idx]), labels[idx])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    losses.append(loss.item())
    if (step + 1) % 100 == 0:
        print(f"step {step + 1}: {sum(losses[-100:]) / 100:.4f}")

with torch.no_grad():
    print("accuracy", (model(images).argmax(1) == labels).float().mean().item())
