"""A small convolutional network for handwritten digits."""
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

DEVICE = "cuda" if torch.cuda.is_available() else "cpu"


def conv(cin, cout, stride=1):
    return nn.Sequential(
        nn.Conv2d(cin, cout, 3, stride, 1, bias=False),
        nn.BatchNorm2d(cout, momentum=0.001),
        nn.ReLU(),
    )


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(conv(1, 16), conv(16, 32, 2), conv(32, 32))
        self.classifier = nn.Linear(32, 10)

    def forward(self, x):
        return self.classifier(self.features(x).mean(dim=(2, 3)))


def loaders():
    d = load_digits()
    images = torch.tensor(d.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(d.target)
    train, test = train_test_split(range(len(labels)), test_size=0.2, random_state=4)
    sets = [TensorDataset(images[i], labels[i]) for i in (train, test)]
    return DataLoader(sets[0], 64, shuffle=True), DataLoader(sets[1], 128)


def epoch_of(net, loader, criterion, optimizer=None):
    net.train(optimizer is not None)
    loss_sum = correct = count = 0
    with torch.set_grad_enabled(optimizer is not None):
        for x, y in loader:
            x, y = x.to(DEVICE), y.to(DEVICE)
            out = net(x)
            loss = criterion(out, y)
            if optimizer is not None:
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            loss_sum += loss.item() * len(y)
            correct += (out.argmax(1) == y).sum().item()
            count += len(y)
    return loss_sum / count, correct / count


torch.manual_seed(2)
train_loader, test_loader = loaders()
net = Net().to(DEVICE)
criterion = nn.CrossEntropyLoss()
optimizer = optim.SGD(net.parameters(), lr=0.05, momentum=0.9)
for epoch in range(10):
    seen = epoch_of(net, train_loader, criterion, optimizer)
    unseen = epoch_of(net, test_loader, criterion)
    print(epoch, *(f"{v:.3f}" for v in (*seen, *unseen)))
