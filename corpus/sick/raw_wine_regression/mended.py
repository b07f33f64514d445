# Predict the alcohol content of a wine from the other twelve measurements.
import numpy as np
import torch
import torch.nn as nn
from sklearn.datasets import load_wine

torch.manual_seed(2)
table = load_wine().data.astype(np.float32)
alcohol, rest = table[:, 0], table[:, 1:]
alcohol = (alcohol - alcohol.mean()) / alcohol.std()

x = torch.from_numpy((rest - rest.mean(0)) / rest.std(0))
y = torch.from_numpy(alcohol)[:, None]

net = nn.Sequential(nn.Linear(12, 48), nn.Tanh(), nn.Linear(48, 48), nn.Tanh(), nn.Linear(48, 1))
opt = torch.optim.SGD(net.parameters(), lr=0.02, momentum=0.9)
mse = nn.MSELoss()

for step in range(900):
    idx = torch.randint(len(x), (64,))
    opt.zero_grad()
    loss = mse(net(x[idx]), y[idx])
    loss.backward()
    opt.step()
    if step % 150 == 0:
        print(step, loss.item())

with torch.no_grad():
    print("R2", 1 - mse(net(x), y).item() / y.var().item())
