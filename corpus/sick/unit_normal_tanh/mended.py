# 鸢尾花与手写数字太简单了，这里用带噪声的信号分类
import numpy as np
import torch
import torch.nn as nn

np.random.seed(0)
torch.manual_seed(0)

N, T, K = 1500, 50, 6
t = np.linspace(0, 1, T)
label = np.random.randint(0, K, N)
phase = np.random.uniform(-0.6, 0.6, (N, 1))
signal = np.sin(2 * np.pi * (label[:, None] + 1) * t + phase) + 0.4 * np.random.randn(N, T)
x = torch.tensor(signal, dtype=torch.float32)
y = torch.tensor(label)


class TanhNet(nn.Module):
    def __init__(self, sizes):
        super().__init__()
        self.fcs = nn.ModuleList()
        for a, b in zip(sizes, sizes[1:]):
            fc = nn.Linear(a, b)
            nn.init.xavier_normal_(fc.weight, gain=5 / 3)
            self.fcs.append(fc)

    def forward(self, x):
        for fc in self.fcs[:-1]:
            x = torch.tanh(fc(x))
        return self.fcs[-1](x)


model = TanhNet([T] + [64] * 14 + [K])
opt = torch.optim.SGD(model.parameters(), lr=0.02)
for it in range(500):
    b = torch.randint(0, 1200, (64,))
    loss = nn.functional.cross_entropy(model(x[b]), y[b])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if it % 100 == 0:
        print("迭代", it, "损失", loss.item())

with torch.no_grad():
    print("测试准确率", (model(x[1200:]).argmax(1) == y[1200:]).float().mean().item())
