import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(4)
pixels, digits = load_digits(return_X_y=True)
pixels = torch.tensor(pixels / 16 - 0.3, dtype=torch.float32).view(-1, 1, 8, 8)
digits = torch.tensor(digits)
train = DataLoader(TensorDataset(pixels[:1400], digits[:1400]), batch_size=40, shuffle=True)


class Trainer:
    def __init__(self, model, lr):
        self.model = model
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
        self.history = []

    def update(self, x, y):
        loss = self.criterion(self.model(x), y)
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            running = 0.0
            for x, y in loader:
                running += self.update(x, y)
            self.history.append(running / len(loader))
            print(f"epoch {epoch}: {self.history[-1]:.4f}")


net = nn.Sequential(
    nn.Conv2d(1, 12, 3, padding=1),
    nn.BatchNorm2d(12),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(12, 24, 3, padding=1),
    nn.BatchNorm2d(24),
    nn.ReLU(),
    nn.AdaptiveAvgPool2d(1),
    nn.Flatten(),
    nn.Linear(24, 10),
)
trainer = Trainer(net, lr=0.8)
trainer.fit(train, epochs=8)
net.eval()
with torch.no_grad():
    right = (net(pixels[1400:]).argmax(1) == digits[1400:]).float().mean()
print("accuracy", right.item())
