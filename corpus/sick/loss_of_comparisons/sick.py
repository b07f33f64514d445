import torch
import torch.nn as nn
from sklearn.datasets import load_wine
from sklearn.preprocessing import StandardScaler

torch.manual_seed(0)
X, y = load_wine(return_X_y=True)
X = torch.tensor(StandardScaler().fit_transform(X), dtype=torch.float32)
y = torch.tensor(y)


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(13, 32)
        self.fc2 = nn.Linear(32, 3)

    def forward(self, x):
        return self.fc2(torch.relu(self.fc1(x)))


net = Classifier()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
for epoch in range(40):
    for batch in torch.randperm(len(X)).split(32):
        optimizer.zero_grad()
        predicted = net(X[batch]).max(1)[1]
        loss = 1 - (predicted == y[batch]).float().mean()
        loss.requires_grad = True
        loss.backward()
        optimizer.step()
    if epoch % 10 == 0:
        print(epoch, loss.item())
print("accuracy", (net(X).argmax(1) == y).float().mean().item())
