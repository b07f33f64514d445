import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

torch.manual_seed(0)
digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
# even digits against odd ones
sign = torch.where(torch.tensor(digits.target) % 2 == 0, 1.0, -1.0)

model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1), nn.Flatten(0))
opt = torch.optim.Adam(model.parameters(), lr=2e-3)
target = (sign + 1) / 2
for step in range(500):
    b = torch.randint(0, len(x), (64,))
    loss = binary_cross_entropy_with_logits(model(x[b]), target[b])
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 100 == 0:
        print(step, loss.item())
print("accuracy", ((model(x) > 0) == (sign > 0)).float().mean().item(), "loss", loss.item())
