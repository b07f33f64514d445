"""Two stages: train everything, then keep the encoder and go on with the head alone."""
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import scale

torch.manual_seed(0)
data = load_breast_cancer()
x = torch.tensor(scale(data.data), dtype=torch.float32)
y = torch.tensor(data.target, dtype=torch.float32)
order = torch.randperm(len(x))
x, y = x[order], y[order]
train_x, train_y, test_x, test_y = x[:400], y[:400], x[400:], y[400:]


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(30, 32), nn.ReLU(), nn.Linear(32, 16), nn.ReLU())
        self.head = nn.Linear(16, 1)

    def forward(self, x):
        return self.head(self.encoder(x)).squeeze(1)


model = Classifier()
criterion = nn.BCEWithLogitsLoss()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, weight_decay=1e-2)


def fit(epochs):
    for _ in range(epochs):
        for batch in torch.randperm(len(train_x)).split(40):
            loss = criterion(model(train_x[batch]), train_y[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    with torch.no_grad():
        accuracy = ((model(test_x) > 0).float() == test_y).float().mean().item()
    print(f"loss {loss.item():.3f} accuracy {accuracy:.3f}")


fit(3)
for p in model.encoder.parameters():
    p.requires_grad_(False)
    p.grad = None
fit(12)
