import torch
from sklearn.datasets import load_diabetes
from torch import nn

torch.manual_seed(0)
X, y = load_diabetes(return_X_y=True)
X, y = torch.tensor(X * 21).float(), torch.tensor((y - y.mean()) / y.std()).float()
tr, va = slice(0, 350), slice(350, None)
model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Dropout(0.1), nn.Linear(32, 1), nn.Flatten(0))
opt = torch.optim.Adam(model.parameters(), lr=0.01, weight_decay=1e-4)
sched = torch.optim.lr_scheduler.ReduceLROnPlateau(opt, factor=0.3, patience=5)
for epoch in range(60):
    model.train()
    for i in torch.randperm(350).split(35):
        opt.zero_grad()
        loss = nn.functional.smooth_l1_loss(model(X[tr][i]), y[tr][i])
        loss.backward()
        opt.step()
    model.eval()
    with torch.no_grad():
        val = nn.functional.mse_loss(model(X[va]), y[va])
    sched.step(val)
    if epoch % 10 == 0:
        print(f"{epoch} train {loss.item():.3f} val {val.item():.3f} lr {sched.get_last_lr()[0]:.5f}")
print("val mse", val.item(), "variance", y[va].var().item())
