import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
d = load_digits()
x, y = torch.tensor(d.data / 16, dtype=torch.float32), torch.tensor(d.target)
net = nn.Sequential(nn.Linear(64, 64), nn.GELU(), nn.Linear(64, 10))
try:
    model = torch.compile(net, backend="aot_eager")
    model(x[:64])
except Exception as err:  # no compiler here
    print("running eagerly:", err)
    model = net
opt = torch.optim.Adam(net.parameters(), lr=2e-3)
for step in range(400):
    i = torch.randint(len(x), (64,))
    loss = nn.functional.cross_entropy(model(x[i]), y[i])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 80 == 0:
        print(step, loss.item())
print("accuracy", (net(x).argmax(1) == y).float().mean().item())
