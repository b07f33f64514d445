"""A network whose weights are scaled to the number of inputs (He initialisation)."""

import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)

digits = load_digits()
images = torch.tensor(digits.data / 16, dtype=torch.float32)
labels = torch.tensor(digits.target)


def make_model(depth: int = 6, width: int = 100) -> nn.Sequential:
    """A plain ReLU network."""
    sizes = [64] + [width] * depth
    layers: list[nn.Module] = []
    for fan_in, fan_out in zip(sizes, sizes[1:], strict=False):
        linear = nn.Linear(fan_in, fan_out)
        nn.init.kaiming_normal_(linear.weight, nonlinearity="relu")
        layers += [linear, nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(width, 10))


model = make_model()
optimizer = torch.optim.SGD(model.parameters(), lr=0.02)
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
