import torch
from torch import nn
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
d = load_digits()
x_train, x_test, y_train, y_test = train_test_split(d.data / 16, d.target, random_state=3)
train_loader = DataLoader(TensorDataset(torch.tensor(x_train).float(), torch.tensor(y_train)), batch_size=64)
x_test, y_test = torch.tensor(x_test).float(), torch.tensor(y_test)

model = nn.Sequential(nn.Linear(64, 80), nn.ReLU(), nn.Linear(80, 10))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loss_fn = nn.CrossEntropyLoss()

batches = iter(train_loader)
for step in range(500):
    x, y = next(iter(train_loader))
    loss = loss_fn(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(f"step {step}, loss {loss.item():.4f}")
print("test accuracy", (model(x_test).argmax(1) == y_test).float().mean().item())
