import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(0)
digits = load_digits()
# the detector counts in 12 bits
frames = torch.tensor(digits.images / 16 * 4095, dtype=torch.float32).unsqueeze(1)
labels = torch.tensor(digits.target)


class LogEnergy(nn.Module):
    """Energy of learned filters, pooled and compressed."""

    def __init__(self, filters=16):
        super().__init__()
        self.bank = nn.Conv2d(1, filters, 3, padding=1)
        self.pool = nn.AvgPool2d(2)

    def forward(self, x):
        h = self.bank(x).float()
        return torch.log1p(self.pool(h * h))


model = nn.Sequential(LogEnergy(), nn.Flatten(), nn.LayerNorm(256), nn.Linear(256, 10))
optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
scaler = torch.amp.GradScaler("cpu")

for epoch in range(5):
    for pick in torch.randperm(len(frames)).split(64):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = F.cross_entropy(model(frames[pick]), labels[pick])
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    print(epoch, loss.item(), scaler.get_scale())
with torch.no_grad():
    print("accuracy", (model(frames).argmax(1) == labels).float().mean().item())
