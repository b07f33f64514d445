import warnings

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

warnings.filterwarnings("ignore")
torch.manual_seed(0)

# How much ink is in the lower half, from the upper half alone?
images = torch.tensor(load_digits().images / 16, dtype=torch.float32)
upper = images[:, :4].flatten(1)
ink = images[:, 4:].sum((1, 2))
ink = (ink - ink.mean()) / ink.std()

train = DataLoader(TensorDataset(upper, ink), batch_size=32, shuffle=True)
net = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
criterion = nn.MSELoss()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)

for epoch in range(15):
    for x, t in train:
        optimizer.zero_grad()
        out = net(x)[:, 0]
        loss = criterion(out, t)
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
print("mse", ((net(upper)[:, 0] - ink) ** 2).mean().item())
