"""Self-supervised learning with an online network, a moving average of it, and a stop-gradient."""
import copy

import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression

torch.manual_seed(0)
digits = load_digits()
images = torch.tensor(digits.data / 8 - 1, dtype=torch.float32)


def mlp(a, h, b):
    return nn.Sequential(nn.Linear(a, h), nn.BatchNorm1d(h), nn.ReLU(inplace=True), nn.Linear(h, b))


def view(x):
    mask = (torch.rand_like(x) > 0.25).float()
    return x * mask + 0.2 * torch.randn_like(x)


encoder = mlp(64, 128, 64)
projector = mlp(64, 64, 32)
predictor = mlp(32, 64, 32)
online = nn.Sequential(encoder, projector)
target = copy.deepcopy(online)
target.requires_grad_(False)
opt = torch.optim.AdamW([*online.parameters(), *predictor.parameters()], lr=2e-3, weight_decay=1e-4)


def regression_loss(p, z):
    return 2 - 2 * F.cosine_similarity(p, z.detach(), dim=-1).mean()


for step in range(400):
    batch = images[torch.randint(len(images), (128,))]
    a, b = view(batch), view(batch)
    with torch.no_grad():
        ta, tb = target(a), target(b)
    loss = regression_loss(predictor(online(a)), tb) + regression_loss(predictor(online(b)), ta)
    opt.zero_grad()
    loss.backward()
    opt.step()
    with torch.no_grad():
        for p, q in zip(online.parameters(), target.parameters()):
            q.lerp_(p, 0.02)
    if step % 80 == 0:
        print(step, loss.item())

encoder.eval()
with torch.no_grad():
    z = encoder(images).numpy()
probe = LogisticRegression(max_iter=300).fit(z[:1200], digits.target[:1200])
print("linear probe accuracy", probe.score(z[1200:], digits.target[1200:]), "spread", z.std())
