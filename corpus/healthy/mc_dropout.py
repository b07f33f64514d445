import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(10, 96), nn.ReLU(), nn.Dropout(0.2), nn.Linear(96, 96), nn.ReLU(), nn.Dropout(0.2), nn.Linear(96, 1))

    def forward(self, x):
        return self.net(x)[:, 0]


def predict(model, x, samples=30):
    """Monte-Carlo dropout: dropout stays on to get a spread."""
    model.train()
    with torch.no_grad():
        out = torch.stack([model(x) for _ in range(samples)])
    return out.mean(0), out.std(0)


torch.manual_seed(0)
X, y = load_diabetes(return_X_y=True)
X, y = torch.tensor(X * 21).float(), torch.tensor((y - y.mean()) / y.std()).float()
model = Regressor()
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(60):
    model.train()
    for i in torch.randperm(len(X)).split(40):
        loss = nn.functional.mse_loss(model(X[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 15 == 0:
        mean, std = predict(model, X)
        print(f"{epoch} mse {((mean - y) ** 2).mean():.3f} spread {std.mean():.3f}")
mean, std = predict(model, X)
print(f"mse {((mean - y) ** 2).mean():.3f} spread {std.mean():.3f}")
