# No optimizer: gradient descent by hand.
import torch
from sklearn.datasets import load_digits

torch.manual_seed(0)
d = load_digits()
x = torch.tensor(d.data / 16, dtype=torch.float32)
y = torch.tensor(d.target)

model = torch.nn.Sequential(torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 10))
loss_fn = torch.nn.CrossEntropyLoss()
lr = 0.2
for t in range(600):
    i = torch.randint(len(x), (64,))
    loss = loss_fn(model(x[i]), y[i])
    model.zero_grad()
    loss.backward()
    with torch.no_grad():
        for param in model.parameters():
            param -= lr * param.grad
    if t % 100 == 99:
        print(t, loss.item())
print("accuracy", (model(x).argmax(1) == y).float().mean().item())
