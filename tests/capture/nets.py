"""The networks that are trained in all those ways, their data, and the plain loop."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import nn

Outcome = list[Any]
STEPS = 24


def mlp(d: int = 8, h: int = 16, k: int = 3, act: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    return nn.Sequential(nn.Linear(d, h), act(), nn.Linear(h, h), act(), nn.Linear(h, k))


class Tagger(nn.Module):
    def __init__(self, cell: type[nn.RNNBase]) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        self.rnn = cell(8, 12, batch_first=True)
        self.head = nn.Linear(12, 3)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        out, _ = self.rnn(self.embed(ids))
        return self.head(out[:, -1])


class TiedLanguageModel(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 8)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, dropout=0.1)
        self.body = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(8, 20, bias=False)
        self.head.weight = self.embed.weight

    def forward(self, ids: torch.Tensor) -> dict[str, torch.Tensor]:
        return {"logits": self.head(self.body(self.embed(ids)))}


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8)
        self.again = nn.Linear(8, 8)
        self.alias = self.again
        self.head = nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x).relu_()
        for _ in range(3):
            x = x + torch.tanh(self.again(x))
        return self.head(self.alias(x))


class LowRank(nn.Module):
    def __init__(self, base: nn.Linear, rank: int = 2) -> None:
        super().__init__()
        self.base = base.requires_grad_(False)
        self.a = nn.Parameter(torch.randn(rank, base.in_features) * 0.1)
        self.b = nn.Parameter(torch.zeros(base.out_features, rank))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.base(x) + x @ self.a.T @ self.b.T


@dataclass
class Output:
    loss: torch.Tensor
    logits: torch.Tensor
    nothing: None = None


class Odd(nn.Module):
    """Returns dataclasses, tuples and None from its parts."""

    def __init__(self) -> None:
        super().__init__()
        self.body = mlp()
        self.log = Silent()

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> Output:
        logits = self.body(x)
        self.log(logits)
        return Output(F.cross_entropy(logits, y), logits)


class Silent(nn.Module):
    def forward(self, x: torch.Tensor) -> None:
        self.last = x.detach().mean()


def data(n: int = 96, d: int = 8, k: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    x = torch.randn(n, d)
    return x, x[:, :k].argmax(1)


def fit(model: nn.Module, optimizer: Any, loss_of: Callable[[int], torch.Tensor]) -> Outcome:
    losses = []
    for step in range(STEPS):
        optimizer.zero_grad()
        loss = loss_of(step)
        loss.backward()
        optimizer.step()
        losses.append(loss.detach().clone())
    return [*losses, *(p.detach().clone() for p in model.parameters())]


def recurrent(cell: type[nn.RNNBase]) -> Outcome:
    ids, y = torch.randint(0, 20, (32, 10)), torch.randint(0, 3, (32,))
    model = Tagger(cell)
    opt = torch.optim.Adam(model.parameters(), lr=1e-2)
    return fit(model, opt, lambda _: F.cross_entropy(model(ids), y))


def model_and_optimizer(*layers: nn.Module) -> tuple[nn.Module, torch.optim.Optimizer]:
    model = nn.Sequential(*(layers or (nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 3))))
    return model, torch.optim.SGD(model.parameters(), lr=0.1)
