"""Grey values from 0 to 255, as an image file holds them, given to a tanh network."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)

digits = load_digits()
pixels = torch.tensor(digits.data * 255 / 16, dtype=torch.float32)
labels = torch.tensor(digits.target)
images = pixels

model = nn.Sequential(
    nn.Linear(64, 64),
    nn.Tanh(),
    nn.Linear(64, 64),
    nn.Tanh(),
    nn.Linear(64, 10),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
criterion = nn.CrossEntropyLoss()

for epoch in range(20):
    for batch in torch.randperm(len(images)).split(60):
        optimizer.zero_grad()
        loss = criterion(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
    if epoch % 4 == 3:
        print(f"epoch {epoch + 1:2d}  loss {loss.item():.3f}")

accuracy = (model(images).argmax(1) == labels).float().mean().item()
print(f"accuracy {accuracy:.1%}")
