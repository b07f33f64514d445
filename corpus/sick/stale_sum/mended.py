import torch
import torch.nn as nn
import inspect
import textwrap

# Next-character model on the source of the standard library.
text = inspect.getsource(textwrap)
chars = sorted(set(text))
stoi = {c: i for i, c in enumerate(chars)}
ids = torch.tensor([stoi[c] for c in text])
CONTEXT = 8


class CharMLP(nn.Module):
    def __init__(self, vocab, emb=16, hidden=96):
        super().__init__()
        self.emb = nn.Embedding(vocab, emb)
        self.fc = nn.Linear(CONTEXT * emb, hidden)
        self.out = nn.Linear(hidden, vocab)

    def forward(self, ctx):
        return self.out(torch.tanh(self.fc(self.emb(ctx).flatten(1))))


def get_batch(n=64):
    start = torch.randint(0, len(ids) - CONTEXT - 1, (n,))
    window = torch.stack([ids[s : s + CONTEXT + 1] for s in start])
    return window[:, :-1], window[:, -1]


def main():
    torch.manual_seed(1)
    model = CharMLP(len(chars))
    opt = torch.optim.Adam(model.parameters(), lr=3e-3)
    model.zero_grad()
    smooth = None
    for it in range(700):
        ctx, nxt = get_batch()
        loss = nn.functional.cross_entropy(model(ctx), nxt)
        opt.zero_grad(set_to_none=True)
        loss.backward()
        opt.step()
        smooth = loss.item() if smooth is None else 0.98 * smooth + 0.02 * loss.item()
        if it % 100 == 0:
            print(it, round(smooth, 3))
    print("smoothed loss", smooth)


main()
