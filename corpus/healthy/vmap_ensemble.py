import copy

import torch
from sklearn.datasets import make_moons
from torch import nn
from torch.func import functional_call, grad, stack_module_state, vmap

torch.manual_seed(0)
X, y = make_moons(600, noise=0.15, random_state=0)
X, y = torch.tensor(X).float(), torch.tensor(y)


def make():
    return nn.Sequential(
        nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 2)
    )


models = [make() for _ in range(5)]
params, buffers = stack_module_state(models)
base_model = copy.deepcopy(models[0]).to("meta")


def fmodel(params, buffers, x):
    return functional_call(base_model, (params, buffers), (x,))


optimizer = torch.optim.Adam(list(params.values()), lr=5e-3)
for step in range(400):
    i = torch.randint(0, len(X), (64,))
    logits = vmap(fmodel, in_dims=(0, 0, None))(params, buffers, X[i])
    loss = nn.functional.cross_entropy(logits.flatten(0, 1), y[i].repeat(5))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    if step % 100 == 0:
        print(step, loss.item())
with torch.no_grad():
    out = vmap(fmodel, in_dims=(0, 0, None))(params, buffers, X)
    print("accuracy", (out.mean(0).argmax(1) == y).float().mean().item())
