import torch
import torch.nn as nn

torch.manual_seed(0)


class PINN(nn.Module):
    def __init__(self, layers=(2, 32, 32, 32, 1)):
        super().__init__()
        self.net = nn.ModuleList([nn.Linear(a, b) for a, b in zip(layers, layers[1:])])
        for m in self.net:
            nn.init.xavier_normal_(m.weight)
            nn.init.zeros_(m.bias)

    def forward(self, x, t):
        h = torch.cat([x, t], dim=1)
        for layer in self.net[:-1]:
            h = torch.tanh(layer(h))
        return self.net[-1](h)


model = PINN()


def residual(x, t):
    x.requires_grad_(True)
    t.requires_grad_(True)
    u = model(x, t)
    u_t = torch.autograd.grad(u, t, torch.ones_like(u), create_graph=True)[0]
    u_x = torch.autograd.grad(u, x, torch.ones_like(u), create_graph=True)[0]
    u_xx = torch.autograd.grad(u_x, x, torch.ones_like(u_x), create_graph=True)[0]
    return u_t - 0.2 * u_xx


optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
x0 = torch.linspace(0, 1, 64).view(-1, 1)
u0 = torch.sin(torch.pi * x0)
for step in range(800):
    x, t = torch.rand(256, 1), torch.rand(256, 1)
    tb = torch.rand(64, 1)
    loss_f = residual(x, t).pow(2).mean()
    loss_i = (model(x0, torch.zeros_like(x0)) - u0).pow(2).mean()
    loss_b = (
        model(torch.zeros_like(tb), tb).pow(2).mean() + model(torch.ones_like(tb), tb).pow(2).mean()
    )
    loss = loss_f + 10 * loss_i + 10 * loss_b
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(step, loss.item(), loss_f.item())
with torch.no_grad():
    t1 = torch.full_like(x0, 0.5)
    exact = torch.exp(-0.2 * torch.pi**2 * t1) * u0
    print("relative error", ((model(x0, t1) - exact).norm() / exact.norm()).item())
