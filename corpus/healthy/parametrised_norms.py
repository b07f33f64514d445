import torch
import torch.nn as nn
from sklearn.datasets import load_digits
from torch.nn.utils.parametrizations import orthogonal, spectral_norm, weight_norm

torch.manual_seed(0)
d = load_digits()
x, y = torch.tensor(d.data / 8 - 1, dtype=torch.float32), torch.tensor(d.target)
model = nn.Sequential(
    weight_norm(nn.Linear(64, 96)), nn.ELU(),
    spectral_norm(nn.Linear(96, 96)), nn.ELU(),
    orthogonal(nn.Linear(96, 48)), nn.ELU(),
    nn.Linear(48, 10),
)
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
for step in range(400):
    i = torch.randint(len(x), (64,))
    loss = nn.functional.cross_entropy(model(x[i]), y[i])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 50 == 0:
        print(step, loss.item())
model.eval()
print("accuracy", (model(x).argmax(1) == y).float().mean().item())
