import torch
from sklearn.datasets import load_iris

torch.manual_seed(0)
data = load_iris()
X = torch.tensor((data.data - data.data.mean(0)) / data.data.std(0)).float()
y = torch.tensor(data.target)
model = torch.nn.Sequential(torch.nn.Linear(4, 16), torch.nn.Tanh(), torch.nn.Linear(16, 3))
opt = torch.optim.SGD(model.parameters(), lr=0.5)
for epoch in range(500):
    opt.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(X), y)
    loss.backward()
    opt.step()
    if epoch % 100 == 0:
        print(epoch, loss.item())
print("accuracy", (model(X).argmax(1) == y).float().mean().item())
