"""The data the lab works with: what scikit-learn carries along, and toy sequences made here."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits  # type: ignore[import-untyped]
from torch import Tensor


@dataclass(frozen=True)
class Split:
    """Inputs and targets to train on, and others to test on."""

    x: Tensor
    y: Tensor
    test_x: Tensor
    test_y: Tensor

    @property
    def inputs(self) -> int:
        """How many features an input has."""
        return self.x.shape[-1]

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.y.max()) + 1

    def double(self) -> Split:
        """The same in float64; labels stay whole numbers."""
        return Split(*(t.double() if t.is_floating_point() else t for t in vars(self).values()))


def _split(x: Tensor, y: Tensor, tested: int) -> Split:
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(0))
    rest, test = order[tested:], order[:tested]
    return Split(x[rest], y[rest], x[test], y[test])


def _each_feature_scaled(data: Split) -> Split:
    mean, std = data.x.mean(0), data.x.std(0)
    return Split((data.x - mean) / std, data.y, (data.test_x - mean) / std, data.test_y)


@cache
def digits() -> Split:
    """8×8 scans of ten digits: 1297 to train, 500 to test; one mean and scale for all pixels."""
    raw: Any = load_digits()
    data = _split(torch.tensor(raw.data, dtype=torch.float32), torch.tensor(raw.target), 500)
    mean, std = data.x.mean(), data.x.std()
    return Split((data.x - mean) / std, data.y, (data.test_x - mean) / std, data.test_y)


@cache
def breast_cancer() -> Split:
    """30 measures of 569 tumours, benign (1) or not (0): 399 to train, each measure scaled."""
    return _each_feature_scaled(raw_breast_cancer())


@cache
def raw_breast_cancer() -> Split:
    """The same as they were measured: some in thousands, some in thousandths."""
    raw: Any = load_breast_cancer()
    x, y = torch.tensor(raw.data, dtype=torch.float32), torch.tensor(raw.target)
    return _split(x, y, 170)


@cache
def diabetes() -> Split:
    """10 measures of 442 patients and the course of their illness: 310 to train, all scaled."""
    raw: Any = load_diabetes()
    y = torch.tensor(raw.target, dtype=torch.float32)[:, None]
    data = _each_feature_scaled(_split(torch.tensor(raw.data, dtype=torch.float32), y, 132))
    mean, std = data.y.mean(), data.y.std()
    return Split(data.x, (data.y - mean) / std, data.test_x, (data.test_y - mean) / std)


def first_symbol(
    lag: int, count: int, generator: torch.Generator, symbols: int = 4
) -> tuple[Tensor, Tensor]:
    """Sequences to remember the first symbol of, through ``lag`` steps of noise.

    Returns:
        inputs (count, lag + 1, symbols + 1): the symbol one-hot, then random signs in the last
        channel; and the symbols (count,).
    """
    y = torch.randint(symbols, (count,), generator=generator)
    x = torch.zeros(count, lag + 1, symbols + 1)
    x[torch.arange(count), 0, y] = 1
    x[:, 1:, -1] = torch.randint(2, (count, lag), generator=generator) * 2.0 - 1
    return x, y
