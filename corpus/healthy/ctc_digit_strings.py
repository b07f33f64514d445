"""Reads strips of three or four handwritten digits with convolutions, an LSTM and CTC."""
import torch
from sklearn.datasets import load_digits
from torch import nn

torch.manual_seed(1)
digits = load_digits()
glyphs = torch.tensor(digits.images / 16, dtype=torch.float32)
labels = torch.tensor(digits.target)
rng = torch.Generator().manual_seed(5)


def strips(count):
    pictures, wanted, lengths = torch.zeros(count, 1, 8, 36), [], []
    for i in range(count):
        number = int(torch.randint(3, 5, (), generator=rng))
        for place in range(number):
            which = int(torch.randint(len(glyphs), (), generator=rng))
            pictures[i, 0, :, 9 * place : 9 * place + 8] = glyphs[which]
            wanted.append(int(labels[which]) + 1)
        lengths.append(number)
    return pictures, torch.tensor(wanted), torch.tensor(lengths)


class Reader(nn.Module):
    def __init__(self):
        super().__init__()
        self.see = nn.Sequential(
            nn.Conv2d(1, 24, 3, padding=1), nn.BatchNorm2d(24), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(24, 48, (4, 3), padding=(0, 1)), nn.ReLU()
        )
        self.read = nn.LSTM(48, 40, bidirectional=True, batch_first=True)
        self.say = nn.Linear(80, 11)

    def forward(self, x):
        columns = self.see(x).squeeze(2).transpose(1, 2)
        return self.say(self.read(columns)[0]).log_softmax(-1)


model, criterion = Reader(), nn.CTCLoss(zero_infinity=True)
optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
for step in range(420):
    x, y, lengths = strips(24)
    out = model(x)
    loss = criterion(out.transpose(0, 1), y, torch.full((24,), out.shape[1]), lengths)
    optimizer.zero_grad()
    loss.backward()
    nn.utils.clip_grad_norm_(model.parameters(), 5.0)
    optimizer.step()
    if step % 50 == 0 or step == 419:
        print(step, loss.item())
