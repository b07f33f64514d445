import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.utils.data import DataLoader, TensorDataset

# Is it an eight? One in ten is; only a third of those are kept.
torch.manual_seed(0)
rng = np.random.default_rng(0)
d = load_digits()
is_eight = d.target == 8
keep = ~is_eight | (rng.random(len(is_eight)) < 0.33)
x = torch.tensor(d.data[keep] / 16, dtype=torch.float32)
y = torch.tensor(is_eight[keep], dtype=torch.long)
weight = torch.tensor([1.0, float((y == 0).sum() / (y == 1).sum())])
print("share of the rare class:", y.float().mean().item())
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2))
loss_fn = nn.CrossEntropyLoss(weight=weight)
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
for epoch in range(20):
    for xb, yb in DataLoader(TensorDataset(x, y), batch_size=64, shuffle=True):
        opt.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        opt.step()
    if epoch % 5 == 0:
        print(epoch, loss.item())
pred = model(x).argmax(1)
print("recall of the rare class", (pred[y == 1] == 1).float().mean().item(), "of the other", (pred[y == 0] == 0).float().mean().item())
