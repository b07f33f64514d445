import numpy as np
import torch
from sklearn.datasets import load_breast_cancer
from torch import nn, optim

torch.manual_seed(0)
bunch = load_breast_cancer()
X = (bunch.data - bunch.data.mean(0)) / bunch.data.std(0)
X = torch.from_numpy(X.astype(np.float32))
y = torch.from_numpy(bunch.target.astype(np.float32))

model = nn.Sequential(nn.Linear(30, 32), nn.Tanh(), nn.Linear(32, 16), nn.Tanh(), nn.Linear(16, 1))
criterion = nn.BCEWithLogitsLoss(reduction="sum")
opt = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

for epoch in range(20):
    order = torch.randperm(len(X))
    running = 0.0
    for rows in order.split(64):
        opt.zero_grad()
        logits = model(X[rows]).squeeze(1)
        loss = criterion(logits, y[rows])
        loss.backward()
        opt.step()
        running += loss.item()
    print(epoch, running / len(X))
with torch.no_grad():
    print("accuracy", ((model(X).squeeze(1) > 0) == (y > 0.5)).float().mean().item())
