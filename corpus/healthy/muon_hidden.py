# Hidden matrices by Muon (orthogonalised momentum), everything else by AdamW.
import torch
from sklearn.datasets import load_digits
from torch import nn


def orthogonalise(g, steps=5):
    a, b, c = 3.4445, -4.7750, 2.0315
    x = g / (g.norm() + 1e-7)
    if g.shape[0] > g.shape[1]:
        x = x.T
    for _ in range(steps):
        s = x @ x.T
        x = a * x + (b * s + c * s @ s) @ x
    return x.T if g.shape[0] > g.shape[1] else x


class Muon(torch.optim.Optimizer):
    def __init__(self, params, lr=0.02, momentum=0.95):
        super().__init__(params, dict(lr=lr, momentum=momentum))

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is None:
                    continue
                buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
                buffer.lerp_(p.grad, 1 - group["momentum"])
                update = orthogonalise(p.grad.lerp(buffer, group["momentum"]))
                p.add_(update, alpha=-group["lr"] * max(1, p.shape[0] / p.shape[1]) ** 0.5)


torch.manual_seed(0)
d = load_digits()
x, y = torch.tensor(d.data / 16, dtype=torch.float32), torch.tensor(d.target)
model = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))
hidden = [model[2].weight, model[4].weight]
others = [p for p in model.parameters() if all(p is not h for h in hidden)]
muon, adam = Muon(hidden), torch.optim.AdamW(others, lr=2e-3)
for step in range(400):
    i = torch.randint(len(x), (64,))
    loss = nn.functional.cross_entropy(model(x[i]), y[i])
    loss.backward()
    for opt in (muon, adam):
        opt.step()
        opt.zero_grad()
    if step % 80 == 0:
        print(step, loss.item())
print("accuracy", (model(x).argmax(1) == y).float().mean().item())
