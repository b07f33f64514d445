import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(0)
digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target)

dtype = torch.float32
model = nn.Sequential(
    nn.Linear(64, 128), nn.ReLU(),
    nn.Linear(128, 128), nn.ReLU(),
    nn.Linear(128, 10),
).to(dtype)
optimizer = torch.optim.AdamW(model.parameters(), lr=5e-5)

steps = 1200
for step in range(steps):
    idx = torch.randint(0, len(x), (64,))
    logits = model(x[idx].to(dtype))
    loss = F.cross_entropy(logits.float(), y[idx])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"{step}/{steps} loss {loss.item():.4f}")
with torch.no_grad():
    print("loss", F.cross_entropy(model(x.to(dtype)).float(), y).item())
