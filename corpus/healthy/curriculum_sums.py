# Adds up numbers in a sequence; sequences get longer as training goes on.
import torch
from torch import nn

torch.manual_seed(0)


def batch(length, n=64):
    values = torch.rand(n, length, 1) * 2 - 1
    return values, values.sum(1)


class Adder(nn.Module):
    def __init__(self, hidden=32):
        super().__init__()
        self.lstm = nn.LSTM(1, hidden, batch_first=True)
        self.out = nn.Linear(hidden, 1)

    def forward(self, x):
        h, _ = self.lstm(x)
        return self.out(h[:, -1])


net = Adder()
opt = torch.optim.Adam(net.parameters(), lr=5e-3)
for stage, length in enumerate([2, 4, 6, 8, 12]):
    for step in range(90):
        x, y = batch(length)
        loss = nn.functional.mse_loss(net(x), y)
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        opt.step()
    print(f"stage {stage} length {length} mse {loss.item():.4f} of variance {y.var().item():.2f}")
