import numpy as np
import torch
import torch.nn.functional as F
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from torch import nn

torch.manual_seed(0)
wine = load_wine()
features = (wine.data - wine.data.mean(axis=0)) / wine.data.std(axis=0)
cultivar = wine.target

xtr, xte, ytr, yte = train_test_split(features, cultivar, random_state=0, stratify=cultivar)
xtr, xte = (torch.tensor(a, dtype=torch.float32) for a in (xtr, xte))
ytr, yte = torch.tensor(ytr), torch.tensor(yte)

net = nn.Sequential(nn.Linear(13, 32), nn.ReLU(), nn.Linear(32, 3))
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for epoch in range(60):
    for idx in torch.randperm(len(xtr)).split(19):
        loss = F.cross_entropy(net(xtr[idx]), ytr[idx])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
print("test accuracy", (net(xte).argmax(1) == yte).float().mean().item())
