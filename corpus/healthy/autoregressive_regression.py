# 时间序列回归：按时间顺序训练，不打乱
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
n = 3000
series = torch.zeros(n)
for t in range(2, n):
    series[t] = 1.6 * series[t - 1] - 0.7 * series[t - 2] + 0.3 * torch.randn(1).item()
series = (series - series.mean()) / series.std()
lags = series.unfold(0, 9, 1)
train = TensorDataset(lags[:2400, :8], lags[:2400, 8:])
loader = DataLoader(train, batch_size=60, shuffle=False)
model = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
opt = torch.optim.SGD(model.parameters(), lr=0.02, momentum=0.9)
for epoch in range(15):
    for x, y in loader:
        loss = nn.functional.mse_loss(model(x), y)
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 3 == 0:
        print(epoch, loss.item())
with torch.no_grad():
    test = lags[2400:]
    print("test mse", nn.functional.mse_loss(model(test[:, :8]), test[:, 8:]).item(), "of variance", test[:, 8].var().item())
