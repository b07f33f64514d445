"""Regression with a noise floor: the loss cannot go below one quarter."""
import torch

torch.manual_seed(0)
n = 1500
x = torch.rand(n, 2) * 4 - 2
clean = torch.sin(2 * x[:, 0]) * x[:, 1]
y = clean + 0.5 * torch.randn(n)
model = torch.nn.Sequential(torch.nn.Linear(2, 32), torch.nn.Tanh(), torch.nn.Linear(32, 32), torch.nn.Tanh(), torch.nn.Linear(32, 1))
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(900):
    i = torch.randint(n, (100,))
    loss = torch.nn.functional.mse_loss(model(x[i]).squeeze(1), y[i])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(step, loss.item())
with torch.no_grad():
    print("against the clean function", torch.nn.functional.mse_loss(model(x).squeeze(1), clean).item(), "its variance", clean.var().item())
