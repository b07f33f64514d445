import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(64, 100)
        self.fc2 = nn.Linear(100, 100)
        self.fc3 = nn.Linear(100, 100)
        self.fc4 = nn.Linear(100, 100)
        self.fc5 = nn.Linear(100, 10)
        for name, p in self.named_parameters():
            if name.endswith("weight"):
                nn.init.normal_(p)

    def forward(self, x):
        x = F.relu(self.fc1(x))
        x = F.relu(self.fc2(x))
        x = F.relu(self.fc3(x))
        x = F.relu(self.fc4(x))
        return self.fc5(x)


torch.manual_seed(0)
data, labels = load_digits(return_X_y=True)
data, labels = torch.FloatTensor(data) / 16.0, torch.LongTensor(labels)

net = Net()
optimizer = torch.optim.SGD(net.parameters(), lr=0.05)
batch_size = 100
for epoch in range(20):
    shuffled = torch.randperm(len(data))
    losses = []
    for start in range(0, len(data) - batch_size, batch_size):
        index = shuffled[start : start + batch_size]
        optimizer.zero_grad()
        output = net(data[index])
        loss = F.cross_entropy(output, labels[index])
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    print("epoch", epoch, "mean loss", sum(losses) / len(losses))
print("accuracy", (net(data).argmax(1) == labels).float().mean().item())
