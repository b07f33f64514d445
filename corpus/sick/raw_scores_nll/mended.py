import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(1)
data = load_digits()
x = torch.tensor(data.data, dtype=torch.float32) / 16
y = torch.tensor(data.target)

model = nn.Sequential(nn.Linear(64, 64), nn.Tanh(), nn.Linear(64, 10))  # trained with NLLLoss
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

for step in range(400):
    idx = torch.randint(0, len(x), (64,))
    output = F.log_softmax(model(x[idx]), dim=1)
    loss = F.nll_loss(output, y[idx])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 50 == 0:
        print(f"step {step:3d} loss {loss.item():.3f}")
print("accuracy", (model(x).argmax(1) == y).float().mean().item())
