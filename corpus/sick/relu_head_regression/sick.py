import torch
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
data = load_diabetes()
x = torch.tensor(StandardScaler().fit_transform(data.data), dtype=torch.float32)
y = torch.tensor(StandardScaler().fit_transform(data.target[:, None]), dtype=torch.float32)
train = TensorDataset(x[:350], y[:350])


def block(n_in, n_out):
    return [nn.Linear(n_in, n_out), nn.ReLU()]


model = nn.Sequential(*block(10, 64), *block(64, 32), *block(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loss_fn = nn.MSELoss()

for epoch in range(40):
    total = 0.0
    for features, target in DataLoader(train, batch_size=32, shuffle=True):
        optimizer.zero_grad()
        loss = loss_fn(model(features), target)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(features)
    if epoch % 10 == 0:
        print(epoch, total / len(train))

with torch.no_grad():
    error = (model(x[350:]) - y[350:]).pow(2).mean()
    print("R2 on held-out patients", 1 - (error / y[350:].var()).item())
