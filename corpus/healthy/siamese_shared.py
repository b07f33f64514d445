import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(0)
d = load_digits()
x, y = torch.tensor(d.data / 16, dtype=torch.float32), torch.tensor(d.target)


class Siamese(nn.Module):
    """One branch, applied to both images; are they the same digit?"""

    def __init__(self):
        super().__init__()
        self.branch = nn.Sequential(nn.Linear(64, 96), nn.ReLU(), nn.Linear(96, 32))
        self.score = nn.Linear(32, 1)

    def forward(self, a, b):
        return self.score((self.branch(a) - self.branch(b)).abs()).squeeze(-1)


def pairs(n):
    a = torch.randint(len(x), (n,))
    b = torch.randint(len(x), (n,))
    for k in range(0, n, 2):  # every other pair is of one class
        same = (y == y[a[k]]).nonzero().flatten()
        b[k] = same[torch.randint(len(same), (1,))]
    return x[a], x[b], (y[a] == y[b]).float()


model = Siamese()
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
loss_fn = nn.BCEWithLogitsLoss()
for step in range(500):
    a, b, same = pairs(64)
    loss = loss_fn(model(a, b), same)
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 100 == 0:
        print(step, loss.item())
a, b, same = pairs(1000)
print("accuracy", ((model(a, b) > 0).float() == same).float().mean().item())
