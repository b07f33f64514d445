from torch import nn, optim
from sklearn.datasets import load_breast_cancer
from sklearn.preprocessing import StandardScaler
import torch

LEARNING_RATE = 1e-5
EPOCHS = 40


def get_data():
    x, y = load_breast_cancer(return_X_y=True)
    x = StandardScaler().fit_transform(x)
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


class LogisticMLP(nn.Module):
    def __init__(self, d):
        super().__init__()
        self.hidden = nn.Linear(d, 40)
        self.out = nn.Linear(40, 1)

    def forward(self, x):
        return self.out(self.hidden(x).relu()).squeeze(1)


def fit(model, x, y):
    opt = optim.SGD(model.parameters(), lr=LEARNING_RATE)
    loss_fn = nn.BCEWithLogitsLoss()
    for epoch in range(EPOCHS):
        for idx in torch.randperm(len(x)).split(32):
            opt.zero_grad()
            loss = loss_fn(model(x[idx]), y[idx])
            loss.backward()
            opt.step()
        if epoch % 10 == 0:
            print(epoch, loss.item())


torch.manual_seed(3)
x, y = get_data()
model = LogisticMLP(x.shape[1])
fit(model, x, y)
with torch.no_grad():
    print("log loss", nn.functional.binary_cross_entropy_with_logits(model(x), y).item())
