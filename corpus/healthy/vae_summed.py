"""A variational autoencoder with summed losses: the last batch of an epoch is a quarter as large."""
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader

torch.manual_seed(0)
small = torch.tensor(load_digits().images / 16, dtype=torch.float32).unsqueeze(1)
pictures = F.interpolate(small, size=(24, 24), mode="bilinear").clamp(0, 1).flatten(1)


class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.read = nn.Linear(576, 320)
        self.centre, self.spread = nn.Linear(320, 12), nn.Linear(320, 12)
        self.write = nn.Sequential(nn.Linear(12, 320), nn.ReLU(), nn.Linear(320, 576))

    def forward(self, x):
        h = F.relu(self.read(x))
        mean, log_variance = self.centre(h), self.spread(h)
        code = mean + torch.randn_like(mean) * torch.exp(log_variance / 2)
        return torch.sigmoid(self.write(code)), mean, log_variance


model = Model()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
loader = DataLoader(pictures[:1568], batch_size=128, shuffle=True)
for epoch in range(24):
    total = 0.0
    for x in loader:
        drawn, mean, log_variance = model(x)
        error = F.binary_cross_entropy(drawn, x, reduction="sum")
        distance = 0.5 * (mean**2 + log_variance.exp() - 1 - log_variance).sum()
        loss = error + distance
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += loss.item()
    if epoch % 4 == 0 or epoch == 23:
        print(epoch, total / 1568)
