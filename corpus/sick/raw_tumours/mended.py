"""Benign or malignant? A tanh network on the Wisconsin breast cancer measurements."""
import torch
import torch.nn as nn
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(5)
features, target = load_breast_cancer(return_X_y=True)
x_train, x_test, y_train, y_test = train_test_split(features, target, test_size=0.25, random_state=1)

scaler = StandardScaler().fit(x_train)
x_train, x_test = scaler.transform(x_train), scaler.transform(x_test)

to_tensor = lambda a: torch.tensor(a, dtype=torch.float32)
train_set = TensorDataset(to_tensor(x_train), torch.tensor(y_train))
loader = DataLoader(train_set, batch_size=32, shuffle=True)

model = nn.Sequential(
    nn.Linear(30, 64),
    nn.Tanh(),
    nn.Linear(64, 64),
    nn.Tanh(),
    nn.Linear(64, 2),
)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
criterion = nn.CrossEntropyLoss()

for epoch in range(40):
    epoch_loss = 0
    for xb, yb in loader:
        optimizer.zero_grad()
        loss = criterion(model(xb), yb)
        loss.backward()
        optimizer.step()
        epoch_loss += loss.item()
    if epoch % 8 == 0:
        print(f"Epoch {epoch}: {epoch_loss / len(loader):.4f}")

with torch.no_grad():
    pred = model(to_tensor(x_test)).argmax(1)
print("test accuracy", (pred == torch.tensor(y_test)).float().mean().item())
