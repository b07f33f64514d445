import copy

import torch
from sklearn.datasets import load_breast_cancer
from torch import nn
from torch.nn import functional as F

torch.manual_seed(21)
table, malignant = load_breast_cancer(return_X_y=True)
table = torch.tensor(table, dtype=torch.float32)
table = (table - table.mean(0)) / table.std(0)
malignant = torch.tensor(malignant)
order = torch.randperm(len(table))
train, test = order[:450], order[450:]

student = nn.Sequential(nn.Linear(30, 48), nn.GELU(), nn.Linear(48, 24), nn.GELU(), nn.Linear(24, 2))
shadow = copy.deepcopy(student).requires_grad_(False)
optimizer = torch.optim.AdamW(student.parameters(), lr=2e-3)


@torch.no_grad()
def follow(target, source, decay=0.99):
    for t, s in zip(target.parameters(), source.parameters()):
        t.copy_(decay * t + (1 - decay) * s)


for step in range(400):
    batch = train[torch.randint(len(train), (50,))]
    loss = F.cross_entropy(student(table[batch]), malignant[batch])
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    follow(shadow, student)
    if step % 100 == 99:
        print(step + 1, loss.item())

with torch.no_grad():
    for name, net in (("student", student), ("average", shadow)):
        hits = (net(table[test]).argmax(1) == malignant[test]).float().mean()
        print(name, "accuracy", hits.item())
