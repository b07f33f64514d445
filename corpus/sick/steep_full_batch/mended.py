import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_diabetes

torch.manual_seed(1)

features, progression = load_diabetes(return_X_y=True, scaled=False)
x = torch.from_numpy((features - features.mean(0)) / features.std(0)).float()
y = torch.from_numpy((progression - progression.mean()) / progression.std()).float()


class Regressor(nn.Module):
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(10, 64)
        self.second = nn.Linear(64, 64)
        self.out = nn.Linear(64, 1)

    def forward(self, x):
        x = F.relu(self.first(x))
        x = F.relu(self.second(x))
        return self.out(x).squeeze(1)


net = Regressor()
opt = torch.optim.SGD(net.parameters(), lr=0.1)
for it in range(500):
    opt.zero_grad()
    loss = F.mse_loss(net(x), y)
    loss.backward()
    opt.step()
    if it % 50 == 0 or it > 494:
        print(f"{it:4d}  {loss.item():.4f}")
