import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes

X, y = load_diabetes(return_X_y=True)
X = torch.as_tensor((X - X.mean(0)) / X.std(0)).float()
y = torch.as_tensor((y - y.mean()) / y.std()).float()


class Gaussian(nn.Module):
    """Mean and scale of the disease's progression."""

    def __init__(self, hidden=48):
        super().__init__()
        self.trunk = nn.Sequential(nn.Linear(10, hidden), nn.SiLU(), nn.Linear(hidden, hidden), nn.SiLU())
        self.mean = nn.Linear(hidden, 1)
        self.scale = nn.Linear(hidden, 1)

    def forward(self, x):
        h = self.trunk(x)
        return self.mean(h).squeeze(-1), torch.sqrt(nn.functional.softplus(self.scale(h)) + 1e-3).squeeze(-1)


def nll(mean, scale, target):
    return (torch.log(scale) + 0.5 * ((target - mean) / scale) ** 2).mean()


def train(model, epochs=40, batch_size=64):
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    scaler = torch.amp.GradScaler("cpu")
    for epoch in range(epochs):
        for idx in torch.randperm(len(X)).split(batch_size):
            with torch.autocast("cpu", dtype=torch.float16):
                mean, scale = model(X[idx])
            loss = nll(mean.float(), scale.float(), y[idx])
            optimizer.zero_grad(set_to_none=True)
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
        if epoch % 10 == 0:
            print(epoch, loss.item())


torch.manual_seed(1)
model = Gaussian()
train(model)
with torch.no_grad():
    print("mean squared error", nn.functional.mse_loss(model(X)[0], y).item())
