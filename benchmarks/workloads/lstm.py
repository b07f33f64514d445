"""A recurrent language model."""

import torch
from torch import nn

RATE = 1e-3
VOCABULARY, WIDTH, LENGTH = 1000, 128, 48


class Model(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Embedding(VOCABULARY, WIDTH)
        self.lstm = nn.LSTM(WIDTH, 2 * WIDTH, 2, batch_first=True)
        self.dropout = nn.Dropout(0.1)
        self.head = nn.Linear(2 * WIDTH, VOCABULARY)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        states, _ = self.lstm(self.token(ids))
        return self.head(self.dropout(states))


def model() -> nn.Module:
    return Model()


def batch(generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.randint(0, VOCABULARY, (16, LENGTH + 1), generator=generator)
    ids[:, 1::2] = ids[:, 0:-1:2]
    return ids[:, :-1], ids[:, 1:]


def loss(net: nn.Module, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return nn.functional.cross_entropy(net(x).flatten(0, 1), y.flatten())
