# 用普通 RNN 预测正弦波的下一个值（时间序列，不打乱顺序）
import numpy as np
import torch
import torch.nn as nn

torch.manual_seed(0)
t = np.arange(2400) * 0.1
wave = np.sin(t) + 0.5 * np.sin(2.3 * t) + 0.05 * np.random.default_rng(0).normal(size=len(t))
wave = torch.tensor(wave, dtype=torch.float32)
windows = wave.unfold(0, 21, 1)
x, y = windows[:, :20, None], windows[:, 20]
x_train, y_train, x_test, y_test = x[:2000], y[:2000], x[2000:], y[2000:]


class RNN(nn.Module):
    def __init__(self):
        super().__init__()
        self.rnn = nn.RNN(1, 32, batch_first=True)
        self.fc = nn.Linear(32, 1)

    def forward(self, x):
        out, h = self.rnn(x)
        return self.fc(out[:, -1]).squeeze(-1)


model = RNN()
opt = torch.optim.Adam(model.parameters(), lr=3e-3)
for epoch in range(12):
    for i in range(0, 2000, 40):  # 按时间顺序
        loss = ((model(x_train[i : i + 40]) - y_train[i : i + 40]) ** 2).mean()
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(epoch, loss.item())
with torch.no_grad():
    print("测试均方误差", ((model(x_test) - y_test) ** 2).mean().item(), "方差", y_test.var().item())
