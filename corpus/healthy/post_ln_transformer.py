import math

import torch
import torch.nn as nn
from sklearn.datasets import load_digits

torch.manual_seed(0)


class Encoder(nn.Module):
    """Reads an image row by row; norms come after each residual sum, as in 2017."""

    def __init__(self, width=48, heads=4, depth=3, classes=10):
        super().__init__()
        self.rows = nn.Linear(8, width)
        position = torch.arange(8).unsqueeze(1)
        rates = torch.exp(torch.arange(0, width, 2) * (-math.log(1000.0) / width))
        table = torch.zeros(8, width)
        table[:, 0::2], table[:, 1::2] = torch.sin(position * rates), torch.cos(position * rates)
        self.register_buffer("position", table)
        layer = nn.TransformerEncoderLayer(width, heads, 96, dropout=0.1, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth)
        self.head = nn.Linear(width, classes)

    def forward(self, x):
        return self.head(self.encoder(self.rows(x) + self.position).mean(1))


d = load_digits()
x, y = torch.tensor(d.images / 16, dtype=torch.float32), torch.tensor(d.target)
x_train, y_train, x_test, y_test = x[:1400], y[:1400], x[1400:], y[1400:]

model = Encoder()
optimizer = torch.optim.Adam(model.parameters(), lr=1.5e-3, betas=(0.9, 0.98), eps=1e-9)
warmup = 60
scheduler = torch.optim.lr_scheduler.LambdaLR(
    optimizer, lambda step: min((step + 1) / warmup, (warmup / (step + 1)) ** 0.5)
)
for epoch in range(10):
    model.train()
    for batch in torch.randperm(len(x_train)).split(56):
        loss = nn.functional.cross_entropy(model(x_train[batch]), y_train[batch], label_smoothing=0.1)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scheduler.step()
    model.eval()
    with torch.no_grad():
        accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
    print(f"epoch {epoch}: loss {loss.item():.3f} accuracy {accuracy:.3f}")
