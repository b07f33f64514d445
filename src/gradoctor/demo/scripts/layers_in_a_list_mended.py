"""Hidden layers kept in a ModuleList: their parameters are trained with the rest."""

import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

torch.manual_seed(0)


class Network(nn.Module):
    """A narrow entrance, six hidden layers, and ten outputs."""

    def __init__(self, width: int = 32) -> None:
        super().__init__()
        self.entrance = nn.Linear(64, width)
        self.hidden = nn.ModuleList(nn.Linear(width, width) for _ in range(6))
        self.readout = nn.Linear(width, 10)

    def forward(self, image: Tensor) -> Tensor:
        """Logits of the ten digits."""
        signal = torch.relu(self.entrance(image))
        for layer in self.hidden:
            signal = torch.relu(layer(signal))
        logits: Tensor = self.readout(signal)
        return logits


digits = load_digits()
images = torch.tensor(digits.data / 16, dtype=torch.float32)
labels = torch.tensor(digits.target)

model = Network()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
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
