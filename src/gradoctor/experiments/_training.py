"""Training as the lab does it: the same few lines for every experiment, each run seeded."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from gradoctor.experiments._data import Split
from gradoctor.experiments._networks import generator

Loss = Callable[[Tensor, Tensor], Tensor]


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """torch's own chance (dropout, default weights) from a seed; the caller's is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def batches(data: Split, size: int, steps: int, seed: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of a shuffled training set, shuffled anew each time it has been gone through."""
    chance, order = generator(seed, "batches"), torch.empty(0, dtype=torch.long)
    for _ in range(steps):
        if len(order) < size:
            order = torch.randperm(len(data.x), generator=chance)
        taken, order = order[:size], order[size:]
        yield data.x[taken], data.y[taken]


@dataclass(frozen=True)
class Trained:
    """How a training went.

    Attributes:
        losses: of each step's batch; it ends early at the first that is not finite.
        watched: what ``watch`` gave, each ``every`` steps and at the end.
    """

    losses: tuple[float, ...]
    watched: tuple[float, ...] = ()

    @property
    def failed(self) -> bool:
        """A loss was not finite."""
        return not all(torch.tensor(self.losses).isfinite())

    def lowest(self, window: int = 20) -> float:
        """The lowest mean loss of so many steps; infinite when the training failed before."""
        if len(self.losses) < window:
            return math.inf
        return float(
            torch.tensor(self.losses).unfold(0, window, 1).mean(1).nan_to_num(math.inf).min()
        )

    def steps_to(self, level: float, window: int = 20) -> int | None:
        """The first step by which the mean loss of a window is at most a level; None: never."""
        if len(self.losses) < window:
            return None
        means = torch.tensor(self.losses).unfold(0, window, 1).mean(1)
        below = (means <= level).nonzero()
        return int(below[0]) + window if len(below) else None


def train(
    model: nn.Module,
    data: Split,
    optimizer: Optimizer,
    *,
    steps: int,
    size: int = 64,
    seed: int = 0,
    loss: Loss = nn.functional.cross_entropy,
    clip: float | None = None,
    watch: Callable[[], float] | None = None,
    every: int = 50,
) -> Trained:
    """Train a model on batches for some steps.

    Args:
        clip: the largest total norm a gradient may have.
        watch: called before the first step, every so many steps, and at the end.
    """
    losses: list[float] = []
    watched: list[float] = []
    model.train()
    with seeded(seed):
        for step, (x, y) in enumerate(batches(data, size, steps, seed)):
            if watch is not None and step % every == 0:
                watched.append(watch())
            optimizer.zero_grad()
            value = loss(model(x), y)
            losses.append(float(value.detach()))
            if not value.isfinite():
                break
            value.backward()  # type: ignore[no-untyped-call]
            if clip is not None:
                nn.utils.clip_grad_norm_(model.parameters(), clip)
            optimizer.step()
        if watch is not None:
            watched.append(watch())
    return Trained(tuple(losses), tuple(watched))


@torch.no_grad()
def accuracy(model: nn.Module, x: Tensor, y: Tensor) -> float:
    """The share of inputs whose largest output is at the label; the model is asked in eval mode."""
    was = model.training
    model.eval()
    share = (model(x).argmax(1) == y).double().mean()
    model.train(was)
    return float(share)


@torch.no_grad()
def mean_loss(model: nn.Module, x: Tensor, y: Tensor, loss: Loss | None = None) -> float:
    """The loss over all these inputs, the model in eval mode."""
    was = model.training
    model.eval()
    value = (loss or nn.functional.cross_entropy)(model(x), y)
    model.train(was)
    return float(value)


def entropy(labels: Tensor) -> float:
    """The entropy of labels in nats: the cross-entropy of a model that ignores its input."""
    shares = labels.bincount().double() / len(labels)
    return float(-(shares * shares.log()).nansum())


def snapshot(model: nn.Module) -> list[Tensor]:
    """A copy of every parameter."""
    return [p.detach().clone() for p in model.parameters()]
