import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
data = load_digits()
inputs = torch.tensor(data.data, dtype=torch.float32)
inputs = (inputs - inputs.mean(0)) / (inputs.std(0) + 1e-3)
loader = DataLoader(TensorDataset(inputs, torch.tensor(data.target)), batch_size=32, shuffle=True)
net = nn.Sequential(nn.Linear(64, 80), nn.LayerNorm(80), nn.GELU(), nn.Linear(80, 80), nn.LayerNorm(80), nn.GELU(), nn.Linear(80, 10))
optimizer = torch.optim.Adafactor(net.parameters(), lr=0.02)
for epoch in range(8):
    correct = 0
    for x, y in loader:
        optimizer.zero_grad()
        scores = net(x)
        loss = nn.functional.cross_entropy(scores, y)
        loss.backward()
        optimizer.step()
        correct += (scores.argmax(-1) == y).sum().item()
    print(f"epoch {epoch}  loss {loss.item():.4f}  train accuracy {correct / len(loader.dataset):.4f}")
