import torch
from torch import nn

torch.manual_seed(3)


def cantilever(n):
    """Deflection of a loaded cantilever, in metres."""
    load, length, where, stiffness = torch.rand(4, n)
    length = 0.5 + length
    at = where * length
    deflection = 0.004 * (0.2 + load) * at**2 * (3 * length - at) / (0.5 + stiffness)
    return torch.stack([load, length - 0.5, where, stiffness], 1) * 2 - 1, deflection


class Surrogate(nn.Module):
    def __init__(self, width=64, unit=0.01):
        super().__init__()
        self.unit = unit
        self.body = nn.Sequential(
            nn.Linear(4, width), nn.Tanh(),
            nn.Linear(width, width), nn.Tanh(),
            nn.Linear(width, width), nn.Tanh(),
        )
        self.out = nn.Linear(width, 1)

    def forward(self, x):
        return self.unit * self.out(self.body(x)).squeeze(1)


x, y = cantilever(8192)
x_test, y_test = cantilever(2048)
model = Surrogate()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
scaler = torch.amp.GradScaler("cpu")
for step in range(600):
    pick = torch.randint(0, len(x), (256,))
    with torch.autocast("cpu", dtype=torch.float16):
        loss = nn.functional.mse_loss(model(x[pick]), y[pick])
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    if step % 100 == 0:
        print(step, f"{loss.item() ** 0.5 * 1000:.2f} mm")

with torch.no_grad():
    error = nn.functional.mse_loss(model(x_test), y_test)
print("explained", 1 - (error / y_test.var()).item())
