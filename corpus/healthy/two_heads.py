import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F


class MultiTask(nn.Module):
    def __init__(self):
        super().__init__()
        self.shared = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 48), nn.ReLU())
        self.digit = nn.Linear(48, 10)
        self.ink = nn.Linear(48, 1)

    def forward(self, x):
        h = self.shared(x)
        return {"digit": self.digit(h), "ink": self.ink(h).squeeze(-1)}


torch.manual_seed(0)
d = load_digits()
x, y = torch.tensor(d.data / 16).float(), torch.tensor(d.target)
ink = x.sum(1)
ink = (ink - ink.mean()) / ink.std()
model = MultiTask()
opt = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(600):
    i = torch.randint(len(x), (64,))
    out = model(x[i])
    loss_digit = F.cross_entropy(out["digit"], y[i])
    loss_ink = F.mse_loss(out["ink"], ink[i])
    loss = loss_digit + 0.5 * loss_ink
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 100 == 0:
        print(f"{step}: digit {loss_digit.item():.4f} ink {loss_ink.item():.4f}")
out = model(x)
print("accuracy", (out["digit"].argmax(1) == y).float().mean().item(), "ink mse", F.mse_loss(out["ink"], ink).item())
