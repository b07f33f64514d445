import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

# 三分类网络：forward 返回各类的概率
class WineNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(13, 24)
        self.fc2 = nn.Linear(24, 3)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = self.fc2(x)
        return x


torch.manual_seed(0)
x, y = load_wine(return_X_y=True)
x = torch.tensor(StandardScaler().fit_transform(x)).float()
y = torch.tensor(y)
model = WineNet()
opt = torch.optim.Adam(model.parameters(), lr=0.005)
for epoch in range(60):
    perm = torch.randperm(len(x))
    for i in range(0, len(x), 30):
        j = perm[i : i + 30]
        loss = F.cross_entropy(model(x[j]), y[j])
        opt.zero_grad()
        loss.backward()
        opt.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
print("损失", F.cross_entropy(model(x), y).item())
