import torch
import torch.nn as nn
from sklearn.datasets import load_diabetes
from torch.utils.data import DataLoader, TensorDataset


class Trainer:
    def __init__(self, model, loader, epochs):
        self.model = model
        self.loader = loader
        self.epochs = epochs
        self.optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
        # divide the rate by ten twice in the course of the training
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=epochs // 3, gamma=0.1)
        self.loss_fn = nn.MSELoss()

    def train_epoch(self):
        total = 0.0
        for x, y in self.loader:
            self.optimizer.zero_grad()
            loss = self.loss_fn(self.model(x).squeeze(1), y)
            loss.backward()
            self.optimizer.step()
            total += loss.item()
        self.scheduler.step()
        return total / len(self.loader)

    def fit(self):
        for epoch in range(self.epochs):
            mean = self.train_epoch()
            if epoch % 10 == 0:
                print(f"epoch {epoch:3d} mse {mean:.4f}")
        return mean


torch.manual_seed(0)
features, progression = load_diabetes(return_X_y=True)
features = torch.tensor(features, dtype=torch.float32) * 21
target = torch.tensor((progression - 152.1) / 77.0, dtype=torch.float32)
loader = DataLoader(TensorDataset(features, target), batch_size=34, shuffle=True)
net = nn.Sequential(nn.Linear(10, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))
print("final mse", Trainer(net, loader, epochs=60).fit())
