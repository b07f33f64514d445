"""Exact binomial intervals, without scipy."""

from __future__ import annotations

import math
from collections.abc import Callable


def clopper_pearson(hits: int, of: int, confidence: float = 0.95) -> tuple[float, float]:
    """The exact two-sided interval of a share (Clopper and Pearson, Biometrika 1934).

    Raises:
        ValueError: there are no trials, more hits than trials, or a confidence not in (0, 1).
    """
    if not 0 <= hits <= of or not of or not 0 < confidence < 1:
        raise ValueError(f"{hits} hits of {of} at confidence {confidence}")
    tail = (1 - confidence) / 2
    low = _root(lambda p: 1 - _below(hits, of, p) - tail) if hits else 0.0
    high = _root(lambda p: tail - _below(hits + 1, of, p)) if hits < of else 1.0
    return low, high


def _below(hits: int, of: int, share: float) -> float:
    """The chance of fewer than ``hits`` in ``of`` trials."""
    if share in (0.0, 1.0):
        return 1.0 if share == 0.0 and hits else 0.0
    logs = [
        math.lgamma(of + 1) - math.lgamma(k + 1) - math.lgamma(of - k + 1)
        + k * math.log(share) + (of - k) * math.log1p(-share)
        for k in range(hits)
    ]  # fmt: skip
    return min(1.0, math.fsum(map(math.exp, logs)))


def _root(rising: Callable[[float], float]) -> float:
    """Where a rising function of [0, 1] is nil, by halving."""
    low, high = 0.0, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(middle) > 0 else (middle, high)
    return (low + high) / 2
