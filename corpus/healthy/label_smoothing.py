import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
d = load_digits()
x, y = torch.tensor(d.data / 16, dtype=torch.float32), torch.tensor(d.target)
net = nn.Sequential(nn.Linear(64, 128), nn.SiLU(), nn.Linear(128, 10))
criterion = nn.CrossEntropyLoss(label_smoothing=0.2)
opt = torch.optim.NAdam(net.parameters(), lr=2e-3)
for epoch in range(20):
    for i in torch.randperm(len(x)).split(64):
        opt.zero_grad()
        loss = criterion(net(x[i]), y[i])
        loss.backward()
        opt.step()
    if epoch % 4 == 0:
        print(epoch, loss.item())
print("accuracy", (net(x).argmax(1) == y).float().mean().item())
