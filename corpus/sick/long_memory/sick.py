"""Disease progression after one year from ten baseline variables."""
import torch
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(7)
X, y = load_diabetes(return_X_y=True)
X_tr, X_va, y_tr, y_va = train_test_split(X, y, test_size=0.4, random_state=3)
mu, sd = X_tr.mean(0), X_tr.std(0)
ym, ys = y_tr.mean(), y_tr.std()


def tensors(a, b):
    return torch.tensor((a - mu) / sd).float(), torch.tensor((b - ym) / ys).float().unsqueeze(1)


train = TensorDataset(*tensors(X_tr, y_tr))
valid = TensorDataset(*tensors(X_va, y_va))
model = nn.Sequential(
    nn.Linear(10, 256), nn.ReLU(),
    nn.Linear(256, 256), nn.ReLU(),
    nn.Linear(256, 1),
)
loss_fn = nn.MSELoss()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)


def evaluate(loader):
    model.eval()
    total = 0.0
    with torch.no_grad():
        for xb, yb in loader:
            total += loss_fn(model(xb), yb).item() * len(xb)
    return total / len(loader.dataset)


train_loader = DataLoader(train, batch_size=32, shuffle=True)
valid_loader = DataLoader(valid, batch_size=64)
for epoch in range(120):
    model.train()
    running = 0.0
    for xb, yb in train_loader:
        optimizer.zero_grad()
        loss = loss_fn(model(xb), yb)
        loss.backward()
        optimizer.step()
        running += loss.item() * len(xb)
    valid_loss = evaluate(valid_loader)
    if epoch % 10 == 9:
        print(f"epoch {epoch + 1:3d}  train {running / len(train):.3f}  valid {valid_loss:.3f}")
