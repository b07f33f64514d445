import torch
from sklearn.datasets import load_breast_cancer
from torch import nn

torch.manual_seed(0)
features, target = load_breast_cancer(return_X_y=True)
features = torch.tensor((features - features.mean(0)) / features.std(0)).float()
target = torch.tensor(target).float()[:, None]
# Long after the loss has found its floor the rate goes on falling.
net = nn.Sequential(nn.Linear(30, 24), nn.Tanh(), nn.Linear(24, 1))
optimiser = torch.optim.SGD(net.parameters(), lr=0.3, momentum=0.9, weight_decay=2e-3)
schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, 2000)
objective = nn.BCEWithLogitsLoss()
for step in range(2000):
    chosen = torch.randint(len(features), (128,))
    loss = objective(net(features[chosen]), target[chosen])
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    schedule.step()
    if step % 250 == 0:
        print(step, loss.item())
print("accuracy", ((net(features) > 0) == (target > 0.5)).float().mean().item())
