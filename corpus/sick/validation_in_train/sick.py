import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from torch.utils.data import DataLoader, TensorDataset


class WineNet(nn.Module):
    def __init__(self, n_features=13, n_classes=3):
        super().__init__()
        self.fc1 = nn.Linear(n_features, 32)
        self.bn1 = nn.BatchNorm1d(32)
        self.fc2 = nn.Linear(32, 16)
        self.bn2 = nn.BatchNorm1d(16)
        self.drop = nn.Dropout(0.25)
        self.out = nn.Linear(16, n_classes)

    def forward(self, x):
        x = self.drop(F.relu(self.bn1(self.fc1(x))))
        return self.out(F.relu(self.bn2(self.fc2(x))))


def train_one_epoch(model, loader, optimizer):
    total = 0.0
    for x, y in loader:
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimizer.step()
        total += loss.item() * x.size(0)
    return total / len(loader.dataset)


@torch.no_grad()
def validate(model, loader):
    total = hits = 0
    for x, y in loader:
        logits = model(x)
        total += F.cross_entropy(logits, y, reduction="sum").item()
        hits += (logits.argmax(dim=1) == y).sum().item()
    return total / len(loader.dataset), hits / len(loader.dataset)


torch.manual_seed(42)
X, y = load_wine(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(X, y, test_size=0.35, random_state=42, stratify=y)
scaler = StandardScaler().fit(X_train)
make = lambda a, b: TensorDataset(torch.tensor(scaler.transform(a)).float(), torch.tensor(b))
train_loader = DataLoader(make(X_train, y_train), batch_size=16, shuffle=True, drop_last=True)
val_loader = DataLoader(make(X_val, y_val), batch_size=16)

model = WineNet()
optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3)
for epoch in range(1, 31):
    train_loss = train_one_epoch(model, train_loader, optimizer)
    val_loss, val_acc = validate(model, val_loader)
    if epoch % 5 == 0:
        print(f"[{epoch:02d}] train {train_loss:.4f} val {val_loss:.4f} acc {val_acc:.3f}")
