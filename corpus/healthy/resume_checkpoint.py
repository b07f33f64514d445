import io

import torch
from sklearn.datasets import load_wine
from torch import nn

x, y = load_wine(return_X_y=True)
x = torch.tensor((x - x.mean(0)) / x.std(0), dtype=torch.float32)
y = torch.tensor(y)


def build():
    model = nn.Sequential(nn.Linear(13, 48), nn.ReLU(), nn.Linear(48, 3))
    return model, torch.optim.Adam(model.parameters(), lr=2e-3)


def train(model, optimizer, start, end):
    for epoch in range(start, end):
        for i in torch.randperm(len(x)).split(16):
            optimizer.zero_grad()
            loss = nn.functional.cross_entropy(model(x[i]), y[i])
            loss.backward()
            optimizer.step()
        if epoch % 5 == 0:
            print("epoch", epoch, "loss", loss.item())


torch.manual_seed(0)
model, optimizer = build()
train(model, optimizer, 0, 15)
checkpoint = io.BytesIO()
torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict(), "epoch": 15}, checkpoint)
whole = io.BytesIO()
torch.save(model, whole)  # the whole module, too

checkpoint.seek(0)
state = torch.load(checkpoint, weights_only=True)
model, optimizer = build()
model.load_state_dict(state["model"])
optimizer.load_state_dict(state["optimizer"])
print("resumed at epoch", state["epoch"])
train(model, optimizer, state["epoch"], 40)
print("accuracy", (model(x).argmax(1) == y).float().mean().item())
