import torch
from sklearn.datasets import load_breast_cancer

torch.manual_seed(0)
x, y = load_breast_cancer(return_X_y=True)
x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float64)
y = torch.tensor(y, dtype=torch.float64)
model = torch.nn.Sequential(torch.nn.Linear(30, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)).double()
opt = torch.optim.LBFGS(model.parameters(), lr=0.5, max_iter=5, history_size=10)


def closure():
    opt.zero_grad()
    out = model(x).squeeze(1)
    loss = torch.nn.functional.binary_cross_entropy_with_logits(out, y)
    loss = loss + 1e-3 * sum((p**2).sum() for p in model.parameters())
    loss.backward()
    return loss


for step in range(120):
    value = opt.step(closure)
    if step % 20 == 0:
        print(step, value.item())
with torch.no_grad():
    print("accuracy", ((model(x).squeeze(1) > 0) == (y > 0.5)).double().mean().item())
