# 葡萄酒分类：三十层全连接网络
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

torch.manual_seed(1)


class Tower(nn.Module):
    def __init__(self, n=32, depth=30):
        super().__init__()
        self.first = nn.Linear(13, n)
        self.hidden = nn.ModuleList([nn.Linear(n, n) for _ in range(depth)])
        self.last = nn.Linear(n, 3)

    def forward(self, x):
        x = torch.tanh(self.first(x))
        for layer in self.hidden:
            x = torch.tanh(layer(x))
        return self.last(x)


data = load_wine()
x = torch.tensor(StandardScaler().fit_transform(data.data), dtype=torch.float32)
y = torch.tensor(data.target)

net = Tower()
opt = torch.optim.SGD(net.parameters(), lr=0.05, momentum=0.9)

# 训练
for step in range(600):
    idx = torch.randint(0, len(x), (32,))
    loss = F.cross_entropy(net(x[idx]), y[idx])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 100 == 0:
        print(f"第 {step} 步 损失 {loss.item():.4f}")

with torch.no_grad():
    print("准确率", (net(x).argmax(1) == y).float().mean().item())
