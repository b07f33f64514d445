"""Twenty layers of ReLU with a normaliser before each, trained by plain gradient descent on 1,797 scanned digits."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

torch.manual_seed(0)


class DeepNetwork(nn.Module):
    """Twenty layers, 64 units wide, and a linear read-out for the ten digits."""

    def __init__(self, depth: int = 20, width: int = 64) -> None:
        super().__init__()
        self.layers = nn.Sequential(*[self.layer(width) for _ in range(depth)])
        self.readout = nn.Linear(width, 10)

    @staticmethod
    def layer(width: int) -> nn.Module:
        """One linear map, its normaliser and its activation."""
        linear = nn.Linear(width, width)
        return nn.Sequential(linear, nn.BatchNorm1d(width), nn.ReLU())

    def forward(self, image: Tensor) -> Tensor:
        """Logits of the ten digits."""
        logits: Tensor = self.readout(self.layers(image))
        return logits


digits = load_digits()
images = torch.tensor(digits.data / 16, dtype=torch.float32)
labels = torch.tensor(digits.target)

model = DeepNetwork()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
criterion = nn.CrossEntropyLoss()

for epoch in range(20):
    for batch in torch.randperm(len(images)).split(60):
        optimizer.zero_grad()
        loss = criterion(model(images[batch]), labels[batch])
        loss.backward()
        optimizer.step()
    if epoch % 4 == 3:
        print(f"epoch {epoch + 1:2d}  loss {loss.item():.3f}")

model.eval()
accuracy = (model(images).argmax(1) == labels).float().mean().item()
print(f"accuracy {accuracy:.1%}")
