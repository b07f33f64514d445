"""Statistics of outputs and of the gradients that come back to them."""

from __future__ import annotations

import math
from collections import deque

import torch

from gradoctor.statistics._tensors import (
    rms_and_absmax,
    sample,
    scaled,
    to_float,
    values_of,
    zero_fraction,
)

ACT = (
    "act.rms", "act.absmax", "act.nonfinite", "act.mean", "act.zero_fraction",
    "act.centred_ratio", "act.similarity",
)  # fmt: skip
TIME = ("time.slope", "time.length")
SATURATION = ("act.saturated_fraction", "act.gain_loss")
ACTGRAD = ("actgrad.rms", "actgrad.absmax", "actgrad.nonfinite", "actgrad.zero_fraction")
HEADROOM = ("act.headroom",)
UNDERFLOW = ("actgrad.subnormal_fraction", "actgrad.flushed_fraction")

SAMPLE = 16384
ROWS, FEATURES = 64, 2048
TOKEN_ROWS = 8
DORMANT = 0.025
"""Share of the layer's mean magnitude at which a unit counts as dormant (Sokar et al. 2023)."""
DORMANT_SAMPLE = 1 << 18
LARGEST_HALF = math.log2(torch.finfo(torch.float16).max)
NORMAL_HALF = torch.finfo(torch.float16).smallest_normal
SMALLEST_HALF = 2.0**-24
_RMS_SLOPE = {"tanh": 0.681, "sigmoid": 0.212}
"""rms of phi'(z) for z ~ N(0, 1)."""


@torch.no_grad()
def summarise_activation(y: torch.Tensor) -> torch.Tensor:
    """The columns ``ACT`` of an output ``y [batch, ...]``, float32 ``[7]`` on y's device."""
    y = values_of(y)
    rms, absmax = rms_and_absmax(y)
    finite = torch.isfinite(absmax)
    some = sample(y, SAMPLE)
    zero = zero_fraction(some) if some.numel() else rms
    mean = to_float(some.mean(dtype=torch.float64)) if some.numel() else rms
    ratio, similarity = _dependence(y, absmax)
    return torch.stack([rms, absmax, (~finite).float(), mean, zero, ratio, similarity])


def _dependence(y: torch.Tensor, absmax: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How much the rows differ: rms(y - mean row)/rms(y), and the mean cosine between rows."""
    batch = y.shape[0] if y.dim() else 0
    if batch < 2 or y.numel() == 0 or y.dim() < 2:
        nan = torch.full((), float("nan"), device=y.device)
        return nan, nan
    rows = y[:: max(1, -(-batch // ROWS))].reshape(-(-batch // max(1, -(-batch // ROWS))), -1)
    if rows.shape[1] > FEATURES:
        rows = rows[:, :: -(-rows.shape[1] // FEATURES) | 1]
    rows = scaled(rows, absmax)
    mean = rows.mean(0)
    total = (rows * rows).mean()
    spread = (total - (mean * mean).mean()).clamp_min(0)
    # cancellation leaves ~1e-7 of the total where the rows are equal
    spread = torch.where(spread < 4e-7 * total, torch.zeros_like(spread), spread)
    sizes = torch.linalg.vector_norm(rows, 2, 1, keepdim=True)
    summed = (rows / sizes.clamp_min(1e-30)).sum(0)
    present = torch.count_nonzero(sizes)
    cosine = (summed @ summed - present) / (present * (present - 1)).clamp_min(1)
    cosine = torch.where(present < 2, torch.full_like(cosine, float("nan")), cosine)
    return (spread / total.clamp_min(1e-30)).sqrt(), cosine


@torch.no_grad()
def token_ratio(y: torch.Tensor) -> torch.Tensor:
    """rms(y - mean over positions)/rms(y) of ``[batch, positions, features]``, ``[1]``."""
    rows = y[:: max(1, -(-y.shape[0] // TOKEN_ROWS)), :: max(1, -(-y.shape[1] // ROWS))]
    rows = scaled(values_of(rows), rows.detach().abs().max().float())
    total = (rows * rows).mean()
    spread = (rows - rows.mean(1, keepdim=True)).square().mean()
    return (spread / total.clamp_min(1e-30)).sqrt().reshape(1)


@torch.no_grad()
def dormant_fraction(y: torch.Tensor, unit_dim: int) -> torch.Tensor:
    """Fraction of units whose mean magnitude is at most 2.5 % of the layer's, ``[1]``.

    Over a fixed sample of the batch; ``unit_dim`` as for ``DeadUnits``.
    """
    whole = values_of(y)
    rows = whole[:: max(1, -(-whole.shape[0] // ROWS), -(-whole.numel() // DORMANT_SAMPLE))]
    size = rows.movedim(unit_dim, -1).reshape(-1, rows.shape[unit_dim]).abs().float().mean(0)
    return (size <= DORMANT * size.mean()).float().mean().reshape(1)


@torch.no_grad()
def summarise_saturation(y: torch.Tensor, kind: str) -> torch.Tensor:
    """The columns ``SATURATION`` from the OUTPUT of ``tanh`` or ``sigmoid``, float32 ``[2]``."""
    some = sample(values_of(y), SAMPLE).float()
    if kind == "tanh":
        slope, beyond = 1 - some * some, some.abs() > 0.97
    else:
        slope, beyond = some * (1 - some), (some - 0.5).abs() > 0.47
    loss = -torch.log2((slope * slope).mean().sqrt().clamp_min(1e-30) / _RMS_SLOPE[kind])
    return torch.stack([beyond.float().mean(), loss])


@torch.no_grad()
def summarise_gradient(g: torch.Tensor) -> torch.Tensor:
    """The columns ``ACTGRAD`` of a gradient, float32 ``[4]`` on its device."""
    g = values_of(g)
    rms, absmax = rms_and_absmax(g)
    some = sample(g, SAMPLE)
    zero = zero_fraction(some) if some.numel() else rms
    return torch.stack([rms, absmax, (~torch.isfinite(absmax)).float(), zero])


@torch.no_grad()
def headroom(absmax: torch.Tensor) -> torch.Tensor:
    """``HEADROOM``, ``[1]``: bits left between a float16 output's largest magnitude and 65504.

    -1 where it holds a NaN or an infinity.
    """
    bits = LARGEST_HALF - absmax.reshape(1).log2()
    return torch.nan_to_num(bits, nan=-1.0).clamp(-1.0, 64.0)


@torch.no_grad()
def summarise_underflow(g: torch.Tensor) -> torch.Tensor:
    """The columns ``UNDERFLOW`` of a float16 gradient, float32 ``[2]``; NaN where all is zero.

    What was rounded to zero cannot be told from a true zero. But the elements at one step of
    float16's finest grid fill the intervals from half a step to one and a half on both sides,
    twice as wide as the one that rounds to zero: half as many are lost, at the least, since
    gradients are densest about zero.
    """
    size = sample(g.detach(), SAMPLE).abs()
    there = (size > 0).sum()
    lost = (size == SMALLEST_HALF).sum() / 2
    subnormal = ((size > 0) & (size < NORMAL_HALF)).sum()
    none = torch.where(there > 0, 0.0, float("nan"))
    return torch.stack([subnormal / there.clamp_min(1) + none, lost / (there + lost) + none])


@torch.no_grad()
def time_slope(sizes: torch.Tensor) -> torch.Tensor:
    """``TIME`` of a gradient's rms at each time step, ``[T]``: bits a step by least squares.

    Positive when early steps get less than late ones; NaN with fewer than three steps.
    """
    count = sizes.numel()
    if count < 3:
        return torch.tensor([float("nan"), float(count)], device=sizes.device)
    bits = sizes.double().clamp_min(2.0**-149).log2()
    time = torch.arange(count, dtype=torch.float64, device=sizes.device)
    time = time - time.mean()
    slope = (time * bits).sum() / (time**2).sum()
    return torch.stack([slope, torch.full_like(slope, count)]).float()


@torch.no_grad()
def rms_over_time(gradient: torch.Tensor, time: int) -> torch.Tensor:
    """rms at each index of dimension ``time``, ``[T]``."""
    rows = gradient.detach().movedim(time, 0).reshape(gradient.shape[time], -1)
    return rows.double().square().mean(1).sqrt()


class DeadUnits:
    """Units that were 0 for every sample of a sliding window of looks.

    Args:
        unit_dim: the dimension that counts units (1 for images, -1 else).
    """

    PART = 10
    """Looks in one part of the window; the oldest part drops out as a new one begins."""

    def __init__(self, unit_dim: int) -> None:
        self.unit_dim = unit_dim
        self._parts: deque[tuple[torch.Tensor, int, int]] = deque()

    @torch.no_grad()
    def observe(self, y: torch.Tensor) -> None:
        """Add one look at an output ``[batch, ...]``."""
        if y.dim() < 2 or y.numel() == 0:
            return
        others = [d for d in range(y.dim()) if d != self.unit_dim % y.dim()]
        alive = y.detach().abs().amax(others) != 0  # several times as fast as any() of bools
        if self._parts and self._parts[-1][0].shape != alive.shape:
            self._parts.clear()
        if not self._parts or self._parts[-1][1] >= self.PART:
            self._parts.append((alive, 1, y.shape[0]))
        else:
            old, looks, samples = self._parts[-1]
            self._parts[-1] = (old | alive, looks + 1, samples + y.shape[0])
        while len(self._parts) > 1 and self._is_full(list(self._parts)[1:]):
            self._parts.popleft()

    @staticmethod
    def _is_full(parts: list[tuple[torch.Tensor, int, int]]) -> bool:
        looks, samples = sum(p[1] for p in parts), sum(p[2] for p in parts)
        return looks >= 200 or (looks >= 20 and samples >= 2000)

    @torch.no_grad()
    def fraction(self) -> torch.Tensor | None:
        """The fraction of dead units, ``[1]``; None until the window is full."""
        parts = list(self._parts)
        if not self._is_full(parts):
            return None
        alive = parts[0][0]
        for part in parts[1:]:
            alive = alive | part[0]
        return (~alive).float().mean().reshape(1)
