"""Two courses on the same batches: which one is better, and how sure that is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gradoctor.trials import Course

Array = NDArray[np.float64]

SURE = 0.01  # two-sided p of the sign test
CLEAR = 0.2  # of the descent


@dataclass(frozen=True, slots=True)
class Paired:
    """One arm against another, called the base.

    Attributes:
        gain: by how much its loss ends below the base's, in parts of the whole descent of the
            better of the two; negative when it is worse.
        share: of the steps, the first third left out, in which its loss is the lower one.
        p: of the sign test on these, for as many independent steps as the correlation of the signs
            leaves. It says how steady the difference is on these batches, not what another seed
            would give: only with ``gain`` does it count.
        steps: that were compared.
        same: both saw the same batches.
        diverged: its loss became NaN or infinite, or ended far above its start.
    """

    gain: float
    share: float
    p: float
    steps: int
    same: bool
    diverged: bool

    @property
    def better(self) -> bool:
        """Clearly: in size and by the test."""
        return not self.diverged and self.p < SURE and self.share > 0.5 and self.gain >= CLEAR

    @property
    def worse(self) -> bool:
        """Clearly, or it diverged."""
        return self.diverged or (self.p < SURE and self.share < 0.5 and self.gain <= -CLEAR)


def paired(base: Course, other: Course) -> Paired:
    """Compare two courses step by step, as far as the shorter one goes."""
    steps = min(base.steps, other.steps)
    a, b = np.array(base.losses[:steps]), np.array(other.losses[:steps])
    both = min(len(base.batches), len(other.batches), steps)
    same = base.batches[:both] == other.batches[:both]
    apart = (a - b)[steps // 3 :]
    apart = apart[np.isfinite(apart)]
    told = apart[apart != 0]
    wins = float((told > 0).mean()) if len(told) else 0.5
    count = _independent(told)
    return Paired(
        gain=_gain(a, b), share=wins, p=sign_test(round(wins * count), count), steps=len(apart),
        same=same, diverged=diverged(other.losses),
    )  # fmt: skip


def diverged(losses: Sequence[float]) -> bool:
    """The last third has a value that is not finite, or lies far above the first."""
    values = np.array(losses)
    if len(values) < 3:
        return bool(len(values)) and not bool(np.isfinite(values).all())
    tail = values[-max(1, len(values) // 3) :]
    if not np.isfinite(tail).all():
        return True
    begin = float(np.median(values[: max(3, len(values) // 20)]))
    return bool(np.median(tail) > begin + 0.5 * abs(begin))


def start(losses: Sequence[float]) -> float:
    """Where a loss begins: the median of its first steps."""
    values = np.array(losses[: max(3, len(losses) // 20)])
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else math.nan


def end(losses: Sequence[float]) -> float:
    """Where it ends: the median of its last third."""
    values = np.array(losses[-max(1, len(losses) // 3) :])
    values = values[np.isfinite(values)]
    return float(np.median(values)) if len(values) else math.nan


def _gain(base: Array, other: Array) -> float:
    begin, one, two = start(base.tolist()), end(base.tolist()), end(other.tolist())
    scale = max(begin - min(one, two), 0.02 * abs(begin), 1e-12)
    return (one - two) / scale


def _independent(values: Array) -> int:
    """How many independent values as much is known from: n (1 - r) / (1 + r)."""
    if len(values) < 4:
        return len(values)
    signs = np.sign(values)
    middle = signs - signs.mean()
    spread = float((middle**2).sum())
    r = float((middle[1:] * middle[:-1]).sum()) / spread if spread > 0 else 0.0
    r = min(max(r, 0.0), 0.98)
    return max(1, int(len(values) * (1 - r) / (1 + r)))


def sign_test(wins: int, count: int) -> float:
    """Two-sided p of so many wins out of a number of fair throws."""
    if not count:
        return 1.0
    least = min(wins, count - wins)
    below = sum(math.comb(count, k) for k in range(least + 1))
    return min(1.0, 2 * below / (1 << count))
