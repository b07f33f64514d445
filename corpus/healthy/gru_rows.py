import torch
from sklearn.datasets import load_digits
from torch import nn, optim
from torch.utils.data import DataLoader, TensorDataset

torch.manual_seed(0)
d = load_digits()
ds = TensorDataset(torch.tensor(d.images / 16, dtype=torch.float32), torch.tensor(d.target))


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(8, 32, num_layers=2, batch_first=True, bidirectional=True, dropout=0.1)
        self.fc = nn.Linear(64, 10)

    def forward(self, x):
        out, _ = self.gru(x)
        return self.fc(out.mean(1))


net = Net()
opt = optim.Adam(net.parameters(), lr=8e-3)
for epoch in range(9):
    net.train()
    for x, y in DataLoader(ds, batch_size=64, shuffle=True):
        opt.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        opt.step()
    print(epoch, loss.item())
net.eval()
print("accuracy", (net(ds.tensors[0]).argmax(1) == ds.tensors[1]).float().mean().item())
