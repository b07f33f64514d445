import torch
import torch.nn as nn
import torch.nn.functional as F
from sklearn.datasets import load_digits

torch.manual_seed(0)


class MoE(nn.Module):
    def __init__(self, d, experts=4, k=2):
        super().__init__()
        self.router = nn.Linear(d, experts)
        self.experts = nn.ModuleList(nn.Sequential(nn.Linear(d, 2 * d), nn.ReLU(), nn.Linear(2 * d, d)) for _ in range(experts))
        self.k = k

    def forward(self, x):
        probs = F.softmax(self.router(x), dim=-1)
        top, index = probs.topk(self.k, dim=-1)
        top = top / top.sum(-1, keepdim=True)
        out = torch.zeros_like(x)
        for e, expert in enumerate(self.experts):
            rows, slot = (index == e).nonzero(as_tuple=True)
            if len(rows):
                out = out.index_add(0, rows, expert(x[rows]) * top[rows, slot, None])
        load = F.one_hot(index[:, 0], len(self.experts)).float().mean(0)
        self.balance = len(self.experts) * (load * probs.mean(0)).sum()
        return x + out


d = load_digits()
x, y = torch.tensor(d.data / 16).float(), torch.tensor(d.target)
moe = MoE(48)
model = nn.Sequential(nn.Linear(64, 48), nn.LayerNorm(48), moe, nn.LayerNorm(48), nn.Linear(48, 10))
opt = torch.optim.AdamW(model.parameters(), lr=2e-3)
for step in range(450):
    i = torch.randint(len(x), (64,))
    loss = F.cross_entropy(model(x[i]), y[i]) + 0.01 * moe.balance
    opt.zero_grad()
    loss.backward()
    opt.step()
    if step % 75 == 0:
        print(step, loss.item())
print("accuracy", (model(x).argmax(1) == y).float().mean().item())
