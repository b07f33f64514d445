import torch
import torch.nn as nn
from sklearn.datasets import load_iris

torch.manual_seed(0)
iris = load_iris()
x = torch.tensor((iris.data - iris.data.mean(0)) / iris.data.std(0), dtype=torch.float32)
y = torch.tensor(iris.target)

model = nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 3))
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)

for step in range(300):
    idx = torch.randperm(150)[:30]
    logp = torch.log_softmax(model(x[idx]), dim=1)
    per_sample = [-logp[i, y[j]] for i, j in enumerate(idx)]
    loss = torch.stack(per_sample).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(step, loss.item())
print("accuracy", (model(x).argmax(1) == y).float().mean().item())
