import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

rng = np.random.default_rng(0)
torch.manual_seed(0)
d = load_digits()
x = torch.tensor(d.images / 16, dtype=torch.float32)[:, None]
y = F.one_hot(torch.tensor(d.target), 10).float()

net = nn.Sequential(
    nn.Conv2d(1, 24, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Conv2d(24, 48, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
    nn.Flatten(), nn.Dropout(0.3), nn.Linear(48 * 4, 10),
)
opt = torch.optim.SGD(net.parameters(), lr=0.08, momentum=0.9, nesterov=True)
for epoch in range(10):
    for i in torch.randperm(len(x)).split(64):
        lam = rng.beta(0.4, 0.4)
        j = i[torch.randperm(len(i))]
        mixed = lam * x[i] + (1 - lam) * x[j]
        soft = lam * y[i] + (1 - lam) * y[j]
        loss = F.cross_entropy(net(mixed), soft)
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, "mixup loss", round(loss.item(), 3))
net.eval()
print("accuracy", (net(x).argmax(1) == y.argmax(1)).float().mean().item())
