"""Learns to fit a sine in one gradient step: gradients through the inner step."""
import torch
import torch.nn.functional as F
from torch import nn
from torch.func import functional_call

torch.manual_seed(4)
model = nn.Sequential(nn.Linear(1, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh(), nn.Linear(40, 1))
outer = torch.optim.Adam(model.parameters(), lr=2e-3)
recent = []
for step in range(500):
    total = 0.0
    for _ in range(4):
        height, shift = 0.5 + 2.5 * torch.rand(()), 3.14 * torch.rand(())
        x = 10 * torch.rand(20, 1) - 5
        y = height * torch.sin(x + shift)
        weights = dict(model.named_parameters())
        inner = F.mse_loss(functional_call(model, weights, (x[:10],)), y[:10])
        slopes = torch.autograd.grad(inner, list(weights.values()), create_graph=True)
        adapted = {name: w - 0.02 * g for (name, w), g in zip(weights.items(), slopes)}
        total = total + F.mse_loss(functional_call(model, adapted, (x[10:],)), y[10:])
    loss = total / 4
    outer.zero_grad()
    loss.backward()
    outer.step()
    recent.append(loss.item())
    if step % 100 == 99:
        print(step, sum(recent[-100:]) / 100)
