import numpy as np
import torch
from sklearn.datasets import load_wine
from sklearn.neighbors import kneighbors_graph
from sklearn.preprocessing import StandardScaler
from torch import nn
import torch.nn.functional as F

torch.manual_seed(0)
x, y = load_wine(return_X_y=True)
x = StandardScaler().fit_transform(x)
adjacency = kneighbors_graph(x, 8, include_self=True).toarray()
adjacency = np.maximum(adjacency, adjacency.T)
degree = adjacency.sum(1)
A = torch.tensor(adjacency / np.sqrt(degree[:, None] * degree[None]), dtype=torch.float32)
x, y = torch.tensor(x, dtype=torch.float32), torch.tensor(y)
order = torch.randperm(len(x))
labelled, rest = order[:40], order[40:]


class GraphConv(nn.Module):
    def __init__(self, i, o):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(i, o))
        self.bias = nn.Parameter(torch.zeros(o))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x):
        return A @ (x @ self.weight) + self.bias


class GCN(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.conv2 = GraphConv(13, 24), GraphConv(24, 3)

    def forward(self, x):
        x = F.dropout(x, 0.2, self.training)
        return self.conv2(F.dropout(F.relu(self.conv1(x)), 0.3, self.training))


gcn = GCN()
opt = torch.optim.Adam(gcn.parameters(), lr=0.01, weight_decay=5e-4)
for epoch in range(200):
    gcn.train()
    opt.zero_grad()
    out = gcn(x)
    loss = F.cross_entropy(out[labelled], y[labelled])
    loss.backward()
    opt.step()
    if epoch % 40 == 0:
        gcn.eval()
        with torch.no_grad():
            print(epoch, loss.item(), "unlabelled accuracy", (gcn(x)[rest].argmax(1) == y[rest]).float().mean().item())
