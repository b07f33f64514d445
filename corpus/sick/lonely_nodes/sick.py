import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_wine

wine = load_wine()
x = torch.tensor((wine.data - wine.data.mean(0)) / wine.data.std(0), dtype=torch.float32)
y = torch.tensor(wine.target)


def neighbours(x, k=3):
    """An edge where each of two bottles is among the nearest of the other."""
    near = torch.cdist(x, x).fill_diagonal_(float("inf")).topk(k, largest=False).indices
    chosen = torch.zeros(len(x), len(x)).scatter_(1, near, 1.0)
    return chosen * chosen.T


def normalised(edges):
    degree = edges.sum(1)
    scale = degree.pow(-0.5)
    return scale[:, None] * edges * scale[None, :]


class GCN(nn.Module):
    def __init__(self, inputs, hidden, classes):
        super().__init__()
        self.first = nn.Linear(inputs, hidden)
        self.second = nn.Linear(hidden, classes)

    def forward(self, x, adjacency):
        x = F.relu(adjacency @ self.first(x))
        return adjacency @ self.second(x)


torch.manual_seed(0)
adjacency = normalised(neighbours(x))
train = torch.rand(len(x)) < 0.6
model = GCN(13, 32, 3)
optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
for epoch in range(150):
    optimizer.zero_grad()
    out = model(x, adjacency)
    loss = F.cross_entropy(out[train], y[train])
    loss.backward()
    optimizer.step()
print("loss", loss.item())
print("right", (model(x, adjacency)[~train].argmax(1) == y[~train]).float().mean().item())
