import torch
from sklearn.datasets import load_diabetes

torch.manual_seed(1)
X, y = load_diabetes(return_X_y=True)
X = torch.tensor(X * 21, dtype=torch.float32)
y = torch.tensor((y - y.mean()) / y.std(), dtype=torch.float32)

w1 = (torch.randn(10, 40) / 10**0.5).requires_grad_()
b1 = torch.zeros(40, requires_grad=True)
w2 = (torch.randn(40) / 40**0.5).requires_grad_()
params = [w1, b1, w2]
for epoch in range(60):
    for i in torch.randperm(len(X)).split(32):
        loss = ((torch.relu(X[i] @ w1 + b1) @ w2 - y[i]) ** 2).mean()
        for p in params:
            p.grad = None
        loss.backward()
        for p in params:
            p.data.add_(p.grad, alpha=-0.02)
    if epoch % 10 == 0:
        print(epoch, loss.item())
print("mse", ((torch.relu(X @ w1 + b1) @ w2 - y) ** 2).mean().item())
