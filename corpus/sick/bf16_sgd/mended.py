import torch
from torch import nn, optim
from sklearn.datasets import load_breast_cancer


def load(dtype):
    x, y = load_breast_cancer(return_X_y=True)
    x = (x - x.mean(0)) / x.std(0)
    return torch.tensor(x, dtype=dtype), torch.tensor(y)


def run(dtype, steps=1200, lr=5e-3, batch=32):
    torch.manual_seed(0)
    x, y = load(dtype)
    model = nn.Sequential(nn.Linear(30, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)).to(dtype)
    opt = optim.SGD(model.parameters(), lr=lr)
    for step in range(steps):
        i = torch.randint(0, len(x), (batch,))
        loss = nn.functional.cross_entropy(model(x[i]).float(), y[i])
        opt.zero_grad()
        loss.backward()
        opt.step()
        if step % 200 == 0:
            print(step, loss.item())
    return nn.functional.cross_entropy(model(x).float(), y).item()


if __name__ == "__main__":
    print("loss", run(torch.float32))
