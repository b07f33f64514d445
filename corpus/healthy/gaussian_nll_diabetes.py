import torch
from sklearn.datasets import load_diabetes
from torch import nn

torch.manual_seed(0)
X, y = load_diabetes(return_X_y=True)
X = torch.tensor(X).float()
X = (X - X.mean(0)) / X.std(0)
y = torch.tensor(y).float()
mu_y, sd_y = y[:350].mean(), y[:350].std()
t = ((y - mu_y) / sd_y).unsqueeze(1)


class Heteroscedastic(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(10, 32), nn.SiLU(), nn.Linear(32, 32), nn.SiLU())
        self.mean = nn.Linear(32, 1)
        self.var = nn.Sequential(nn.Linear(32, 1), nn.Softplus())

    def forward(self, x):
        h = self.body(x)
        return self.mean(h), self.var(h) + 1e-3


model, criterion = Heteroscedastic(), nn.GaussianNLLLoss()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=1e-2)
for step in range(400):
    b = torch.randint(0, 350, (64,))
    mean, var = model(X[b])
    loss = criterion(mean, t[b], var)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
with torch.no_grad():
    mean, var = model(X[350:])
    print(
        "nll",
        criterion(mean, t[350:], var).item(),
        "constant",
        0.5,
        "r2",
        1 - ((mean - t[350:]) ** 2).mean().item() / t[350:].var().item(),
    )
