import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes

torch.manual_seed(8)
features, progress = load_diabetes(return_X_y=True)
features = torch.tensor(features, dtype=torch.float32) * 20
progress = torch.tensor(progress, dtype=torch.float32)
progress = ((progress - progress.mean()) / progress.std()).unsqueeze(1)

net = nn.Sequential(nn.Linear(10, 64), nn.SiLU(), nn.LayerNorm(64), nn.Linear(64, 1))
optimizer = torch.optim.Adam(net.parameters(), lr=1e-3)
criterion = nn.SmoothL1Loss()
curve = []

for step in range(300):
    rows = torch.randint(0, 400, (64,))
    loss = criterion(net(features[rows]), progress[rows])
    optimizer.zero_grad()
    loss.backward(retain_graph=True)
    optimizer.step()
    curve.append(loss)

print("first", torch.stack(curve[:20]).mean().item(), "last", torch.stack(curve[-20:]).mean().item())
with torch.no_grad():
    print("held out", criterion(net(features[400:]), progress[400:]).item())
