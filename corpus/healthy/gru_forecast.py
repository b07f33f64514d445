import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

# 两个周期叠加的时间序列，用前 24 个值预测下一个
np.random.seed(0)
torch.manual_seed(0)
t = np.arange(1500)
series = np.sin(2 * np.pi * t / 24) + 0.5 * np.sin(2 * np.pi * t / 7) + 0.1 * np.random.randn(1500)
windows = np.lib.stride_tricks.sliding_window_view(series, 25).astype("float32")
x, y = torch.tensor(windows[:, :24, None]), torch.tensor(windows[:, 24])
train_loader = DataLoader(TensorDataset(x[:1200], y[:1200]), batch_size=48, shuffle=True)


class Forecaster(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(1, 24, batch_first=True)
        self.fc = nn.Linear(24, 1)

    def forward(self, x):
        return self.fc(self.gru(x)[1][0]).squeeze(-1)


model = Forecaster()
optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.9)
loss_fn = nn.HuberLoss()
for epoch in range(10):
    model.train()
    for xb, yb in train_loader:
        loss = loss_fn(model(xb), yb)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    scheduler.step()
    model.eval()
    with torch.no_grad():
        mse = nn.functional.mse_loss(model(x[1200:]), y[1200:]).item()
    print(f"第 {epoch} 轮 损失 {loss.item():.4f} 测试误差 {mse:.4f}")
