import torch
import torch.nn as nn
import torch.optim as optim
from sklearn.datasets import load_digits

torch.manual_seed(2)
x = torch.tensor(load_digits().data, dtype=torch.float32) / 16

encoder = nn.Sequential(nn.Linear(64, 48), nn.ReLU(), nn.Linear(48, 12))
decoder = nn.Sequential(nn.Linear(12, 48), nn.ReLU(), nn.Linear(48, 64))
optimizer = optim.SGD([*encoder.parameters(), *decoder.parameters()], lr=0.5, momentum=0.9)

for epoch in range(20):
    for batch in torch.randperm(len(x)).split(64):
        code = encoder(x[batch])
        recon = decoder(code)
        loss = ((recon - x[batch]) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    if epoch % 4 == 0:
        print(f"epoch {epoch}: reconstruction error {loss.item():.5f}")
print("final", ((decoder(encoder(x)) - x) ** 2).mean().item())
