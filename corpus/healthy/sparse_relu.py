# 宽的 ReLU 网络：每个样本只激活约三分之一的单元
import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(0)
d = load_digits()
x, y = torch.tensor(d.data / 16, dtype=torch.float32), torch.tensor(d.target)


class Wide(nn.Module):
    def __init__(self, width=384):
        super().__init__()
        self.a = nn.Linear(64, width)
        self.b = nn.Linear(width, width)
        self.c = nn.Linear(width, 10)
        nn.init.kaiming_normal_(self.a.weight)
        nn.init.kaiming_normal_(self.b.weight)
        nn.init.constant_(self.a.bias, -0.25)
        nn.init.constant_(self.b.bias, -0.25)

    def forward(self, x):
        h = F.relu(self.a(x))
        h = F.relu(self.b(h))
        self.sparsity = (h == 0).float().mean().item()
        return self.c(h)


net = Wide()
opt = torch.optim.AdamW(net.parameters(), lr=1e-3, weight_decay=0.02)
for epoch in range(12):
    for i in torch.randperm(len(x)).split(64):
        loss = F.cross_entropy(net(x[i]), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
    print(f"轮 {epoch} 损失 {loss.item():.4f} 零的比例 {net.sparsity:.2f}")
print("准确率", (net(x).argmax(1) == y).float().mean().item())
