import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F


class Net(nn.Module):
    def __init__(self, classes):
        super().__init__()
        self.backbone = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.Flatten(),
        )
        self.head = nn.Linear(512, classes)

    def forward(self, x):
        return self.head(self.backbone(x))


def fit(model, x, y, optimizer, epochs, freeze=False):
    for epoch in range(epochs):
        model.train()
        if freeze:
            model.backbone.eval()
        for i in torch.randperm(len(x)).split(48):
            loss = F.cross_entropy(model(x[i]), y[i])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        print(f"  epoch {epoch} loss {loss.item():.4f}")


if __name__ == "__main__":
    torch.manual_seed(0)
    d = load_digits()
    x = torch.tensor(d.images / 16, dtype=torch.float32).unsqueeze(1)
    y = torch.tensor(d.target)
    low, high = y < 5, y >= 5
    model = Net(5)
    print("digits 0 to 4")
    fit(model, x[low], y[low], torch.optim.Adam(model.parameters(), lr=1e-3), 6)

    print("digits 5 to 9, only a new head")
    for p in model.backbone.parameters():
        p.requires_grad = False
    model.head = nn.Linear(512, 5)
    fit(model, x[high], y[high] - 5, torch.optim.Adam(model.head.parameters(), lr=2e-3), 12, freeze=True)
    model.eval()
    print("accuracy", (model(x[high]).argmax(1) == y[high] - 5).float().mean().item())
