import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(4)
digits = load_digits()
images = torch.tensor(digits.data / 16, dtype=torch.float32)
labels = torch.tensor(digits.target)
shuffled = torch.randperm(len(images))
train, test = shuffled[:1400], shuffled[1400:]

annotations = labels.clone()
careless = train[torch.rand(len(train)) < 0.3]
annotations[careless] = torch.randint(10, (len(careless),))

loader = DataLoader(TensorDataset(images[train], annotations[train]), batch_size=64, shuffle=True)
model = nn.Sequential(nn.Linear(64, 32), nn.ReLU(), nn.Linear(32, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
for epoch in range(25):
    total = 0.0
    for x, y in loader:
        loss = F.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
    if epoch % 5 == 4:
        print(f"epoch {epoch}: loss {total / len(train):.3f}")

with torch.no_grad():
    print("accuracy on checked labels:", (model(images[test]).argmax(1) == labels[test]).float().mean().item())
