import torch
from sklearn.datasets import load_digits
from torch import nn


class SignedRoot(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        root = x.abs().sqrt()
        ctx.save_for_backward(root)
        return x.sign() * root

    @staticmethod
    def backward(ctx, grad):
        (root,) = ctx.saved_tensors
        return grad / (2 * root)


class Pooled(nn.Module):
    """Covariances of feature maps, their roots taken, then normalised."""

    def __init__(self, maps=10):
        super().__init__()
        self.maps = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, maps, 3, padding=1), nn.ReLU(),
        )
        self.classify = nn.Linear(maps * maps, 10)

    def forward(self, x):
        f = self.maps(x).flatten(2)
        pooled = f @ f.transpose(1, 2) / f.shape[-1]
        rooted = SignedRoot.apply(pooled.flatten(1))
        return self.classify(nn.functional.normalize(rooted, dim=1))


torch.manual_seed(4)
digits = load_digits()
x = torch.tensor(digits.images, dtype=torch.float32)[:, None] / 16
y = torch.tensor(digits.target)
model = Pooled()
optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
criterion = nn.CrossEntropyLoss()
for epoch in range(5):
    for pick in torch.randperm(len(x)).split(64):
        optimizer.zero_grad()
        loss = criterion(model(x[pick]), y[pick])
        loss.backward()
        optimizer.step()
    print(epoch, loss.item())
