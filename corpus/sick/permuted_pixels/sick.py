# Permuted digits: the pixels are rearranged for each task, and the learner is to keep up.
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
pixels, digits = load_digits(return_X_y=True)
images = torch.tensor(pixels / 16, dtype=torch.float32)
labels = torch.tensor(digits)


class Learner(nn.Module):
    def __init__(self, width=64):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(64, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
            nn.Linear(width, width),
            nn.ReLU(),
        )
        self.head = nn.Linear(width, 10)

    def forward(self, x):
        return self.head(self.body(x))


learner = Learner()
optimizer = torch.optim.Adam(learner.parameters(), lr=1e-2)
for task in range(30):
    view = images[:, torch.randperm(64)]
    loader = DataLoader(TensorDataset(view, labels), batch_size=32, shuffle=True, drop_last=True)
    right = seen = 0
    for epoch in range(3):
        for x, y in loader:
            logits = learner(x)
            loss = F.cross_entropy(logits, y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            right += (logits.argmax(1) == y).sum().item()
            seen += len(y)
    print(f"task {task}: {right / seen:.3f} right while learning it")
