import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(3)
patients = load_diabetes()
features = torch.tensor(patients.data, dtype=torch.float32) / 0.048
# the insurance's cost model: a fixed fee and so many points for each unit of progression
points = 24_000 + 90 * torch.tensor(patients.target, dtype=torch.float32)

train = DataLoader(TensorDataset(features[:352], points[:352]), batch_size=32, shuffle=True)


class CostModel(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(10, 48)
        self.deeper = nn.Linear(48, 48)
        self.cost = nn.Linear(48, 1)

    def forward(self, x):
        x = torch.tanh(self.hidden(x))
        x = torch.tanh(self.deeper(x))
        return self.cost(x).squeeze(-1)


def squared_error(predicted, actual):
    difference = predicted - actual
    return difference.pow(2).mean()


model = CostModel()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for epoch in range(40):
    for x, y in train:
        loss = squared_error(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

with torch.no_grad():
    held_out = points[352:]
    error = squared_error(model(features[352:]), held_out)
    print("R2", (1 - error / held_out.var()).item())
