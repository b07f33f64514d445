import torch
from torch import nn
from sklearn.datasets import load_digits

torch.manual_seed(0)
d = load_digits()
x = torch.from_numpy(d.images).float() / 16  # rows of the image as a sequence
y = torch.from_numpy(d.target)

# 用 GRU 逐行读取图像
class RowReader(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 48, batch_first=True)
        self.fc = nn.Linear(48, 10)

    def forward(self, x):
        _, h = self.gru(x)
        return self.fc(h[-1])


model = RowReader()
opt = torch.optim.SGD(model.parameters(), lr=0.3, momentum=0.8)
for epoch in range(14):
    for b in torch.randperm(1500).split(50):
        loss = nn.functional.cross_entropy(model(x[b]), y[b])
        opt.zero_grad()
        loss.backward()
        opt.step()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    print(f"轮次 {epoch}: {loss.item():.4f}")
with torch.no_grad():
    print("测试准确率", (model(x[1500:]).argmax(1) == y[1500:]).float().mean().item())
