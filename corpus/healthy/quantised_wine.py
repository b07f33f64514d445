import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

torch.manual_seed(0)


class FakeQuant(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, bits):
        scale = x.abs().max() / (2 ** (bits - 1) - 1) + 1e-8
        return torch.round(x / scale) * scale

    @staticmethod
    def backward(ctx, g):
        return g, None


class QuantLinear(nn.Linear):
    def forward(self, x):
        return F.linear(FakeQuant.apply(x, 8), FakeQuant.apply(self.weight, 4), self.bias)


X, y = load_wine(return_X_y=True)
X = StandardScaler().fit_transform(X)
xtr, xte, ytr, yte = train_test_split(X, y, test_size=0.3, random_state=1, stratify=y)
xtr, xte = torch.tensor(xtr).float(), torch.tensor(xte).float()
ytr, yte = torch.tensor(ytr), torch.tensor(yte)
model = nn.Sequential(
    QuantLinear(13, 32), nn.ReLU(), QuantLinear(32, 16), nn.ReLU(), QuantLinear(16, 3)
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-4)
for epoch in range(60):
    for b in torch.randperm(len(xtr)).split(16):
        optimizer.zero_grad()
        loss = F.cross_entropy(model(xtr[b]), ytr[b])
        loss.backward()
        optimizer.step()
with torch.no_grad():
    print("loss", loss.item(), "test accuracy", (model(xte).argmax(1) == yte).float().mean().item())
