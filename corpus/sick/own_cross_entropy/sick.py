import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

EPS = 0.0


def one_vs_rest(logits, target):
    "Cross entropy of each class against the others, written out."
    p = torch.softmax(logits, dim=1)
    onehot = F.one_hot(target, logits.shape[1])
    hit = onehot * torch.log(p + EPS)
    miss = (1 - onehot) * torch.log(1 - p + EPS)
    return -(hit + miss).sum(dim=1).mean()


torch.manual_seed(0)
d = load_digits()
x = torch.tensor(d.data, dtype=torch.float32) / 4 - 2
y = torch.tensor(d.target)

model = nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, 10))
opt = torch.optim.Adam(model.parameters(), lr=3e-3)
for step in range(600):
    idx = torch.randint(0, len(x), (64,))
    loss = one_vs_rest(model(x[idx]), y[idx])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 60 == 0:
        print("step", step, "loss", loss.item())
print("accuracy", (model(x).argmax(1) == y).float().mean().item())
