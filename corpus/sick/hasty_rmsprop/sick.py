import inspect
import string

import torch
import torch.nn as nn

torch.manual_seed(0)
text = inspect.getsource(string)[:8000]
chars = sorted(set(text))
ids = torch.tensor([chars.index(c) for c in text])


class CharLSTM(nn.Module):
    def __init__(self, vocab, hidden=96):
        super().__init__()
        self.embed = nn.Embedding(vocab, 32)
        self.lstm = nn.LSTM(32, hidden, batch_first=True)
        self.out = nn.Linear(hidden, vocab)

    def forward(self, x):
        h, _ = self.lstm(self.embed(x))
        return self.out(h)


model = CharLSTM(len(chars))
optimizer = torch.optim.RMSprop(model.parameters(), lr=0.5)
criterion = nn.CrossEntropyLoss()
for step in range(250):
    starts = torch.randint(0, len(ids) - 33, (24,))
    seq = torch.stack([ids[s : s + 33] for s in starts])
    optimizer.zero_grad()
    logits = model(seq[:, :-1])
    loss = criterion(logits.reshape(-1, len(chars)), seq[:, 1:].reshape(-1))
    loss.backward()
    optimizer.step()
    if step % 25 == 0:
        print(step, loss.item())
print("last", loss.item())
