import torch
from torch import nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split


class Encoder(nn.Sequential):
    def __init__(self):
        super().__init__(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(),
        )


class DigitNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = Encoder()
        self.classifier = nn.Linear(64, 10)

    def forward(self, x):
        return self.classifier(self.encoder(x))


torch.manual_seed(0)
d = load_digits()
images = torch.tensor(d.images / 16, dtype=torch.float32).unsqueeze(1)
tr, te = train_test_split(range(len(images)), test_size=0.25, random_state=0)
xtr, ytr = images[tr], torch.tensor(d.target[tr])
xte, yte = images[te], torch.tensor(d.target[te])

model = DigitNet()
optimizer = torch.optim.Adam(model.classifier.parameters(), lr=2e-3)
for epoch in range(12):
    for i in torch.randperm(len(xtr)).split(32):
        loss = nn.functional.cross_entropy(model(xtr[i]), ytr[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    acc = (model(xte).argmax(1) == yte).float().mean().item()
    print(f"epoch {epoch} loss {loss.item():.3f} acc {acc:.3f}")
