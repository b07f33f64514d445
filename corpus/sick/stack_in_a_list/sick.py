import torch
import torch.nn as nn
from sklearn.datasets import load_digits


class MLP(nn.Module):
    def __init__(self, n_hidden=3):
        super().__init__()
        self.inp = nn.Linear(64, 8)
        self.hidden = [nn.Linear(8 if i == 0 else 64, 64) for i in range(n_hidden)]
        self.out = nn.Linear(64, 10)

    def forward(self, x):
        x = torch.relu(self.inp(x))
        for layer in self.hidden:
            x = torch.relu(layer(x))
        return self.out(x)


torch.manual_seed(0)
d = load_digits()
x, y = torch.tensor(d.data / 16, dtype=torch.float32), torch.tensor(d.target)
model = MLP()
print(sum(p.numel() for p in model.parameters()), "parameters")
opt = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
for epoch in range(15):
    for idx in torch.randperm(len(x)).split(64):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(model(x[idx]), y[idx])
        loss.backward()
        opt.step()
    if epoch % 3 == 0:
        print(epoch, loss.item())
print("mean loss", nn.functional.cross_entropy(model(x), y).item())
