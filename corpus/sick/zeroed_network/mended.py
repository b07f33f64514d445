import torch
import torch.nn as nn
from sklearn.datasets import load_iris
from sklearn.preprocessing import scale

torch.manual_seed(0)
iris = load_iris()
x, y = torch.tensor(scale(iris.data)).float(), torch.tensor(iris.target)

model = nn.Sequential(
    nn.Linear(4, 32),
    nn.ReLU(),
    nn.Linear(32, 32),
    nn.ReLU(),
    nn.Linear(32, 3),
)
# start from a neutral state
for layer in model:
    if isinstance(layer, nn.Linear):
        nn.init.xavier_uniform_(layer.weight)
        nn.init.zeros_(layer.bias)

optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for step in range(300):
    i = torch.randint(0, 150, (30,))
    optimizer.zero_grad()
    loss = nn.functional.cross_entropy(model(x[i]), y[i])
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print("step", step, "loss", round(loss.item(), 4))
print("accuracy", (model(x).argmax(1) == y).float().mean().item())
