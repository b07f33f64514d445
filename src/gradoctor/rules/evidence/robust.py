"""Robust statistics on plain arrays: trend, spread, smoothing, bootstrap. Deterministic."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_MOST_POINTS = 200  # Theil-Sen is quadratic; beyond this the series is thinned evenly


class Line(NamedTuple):
    """A Theil-Sen line through points, and the share of variance it explains."""

    slope: float
    intercept: float
    r2: float


def finite(values: ArrayLike) -> Array:
    """The finite values as float64."""
    array = np.asarray(values, np.float64).ravel()
    return array[np.isfinite(array)]


def median(values: ArrayLike) -> float:
    """Median of the finite values; NaN when there are none."""
    array = finite(values)
    return float(np.median(array)) if len(array) else float("nan")


def row_medians(rows: NDArray[np.float32]) -> NDArray[np.float32]:
    """The upper median of each row, ``[T, N] -> [T]``; NaN is left out, infinity is the largest."""
    ordered = np.sort(rows, axis=1)
    counts = (~np.isnan(ordered)).sum(axis=1)
    return np.asarray(ordered[np.arange(len(rows)), counts // 2])


def mad(values: ArrayLike) -> float:
    """Median absolute deviation, scaled to a normal's standard deviation."""
    array = finite(values)
    if not len(array):
        return float("nan")
    return float(1.4826 * np.median(np.abs(array - np.median(array))))


def rolling_median(values: Array, width: int) -> Array:
    """Medians of ``width`` values each, ``[T] -> [T - width + 1]``: ``out[i]`` of those from i."""
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(values, width), axis=1))


def theil_sen(x: ArrayLike, y: ArrayLike) -> Line:
    """The median of all pairwise slopes: up to 29 % of outliers leave it unmoved."""
    xs, ys = np.asarray(x, np.float64), np.asarray(y, np.float64)
    keep = np.isfinite(xs) & np.isfinite(ys)
    xs, ys = xs[keep], ys[keep]
    if len(xs) < 2:
        return Line(0.0, median(ys), 0.0)
    if len(xs) > _MOST_POINTS:
        chosen = np.linspace(0, len(xs) - 1, _MOST_POINTS).astype(int)
        xs, ys = xs[chosen], ys[chosen]
    i, j = np.triu_indices(len(xs), 1)
    run = xs[j] - xs[i]
    rise = ys[j] - ys[i]
    slopes = rise[run != 0] / run[run != 0]
    slope = float(np.median(slopes)) if len(slopes) else 0.0
    intercept = float(np.median(ys - slope * xs))
    spread = float(np.sum((ys - ys.mean()) ** 2))
    rest = float(np.sum((ys - slope * xs - intercept) ** 2))
    return Line(slope, intercept, 1.0 - rest / spread if spread > 0 else 0.0)


def ema(values: ArrayLike, span: float) -> Array:
    """Exponential moving mean with the given span, free of start-up bias."""
    array = np.asarray(values, np.float64)
    keep = 1.0 - 1.0 / max(span, 1.0)
    out = np.empty_like(array)
    total = weight = 0.0
    for i, value in enumerate(array.tolist()):
        total = keep * total + value
        weight = keep * weight + 1.0
        out[i] = total / weight
    return out


def bootstrap_difference(
    first: ArrayLike, last: ArrayLike, *, repeats: int = 400, level: float = 0.95
) -> tuple[float, float]:
    """Confidence interval of mean(first) - mean(last) by a moving-block bootstrap.

    Blocks keep the correlation of neighbouring steps; the seed is fixed, so the same run always
    gets the same verdict.
    """
    draw = np.random.default_rng(20240229)
    a, b = _thinned(finite(first)), _thinned(finite(last))
    if len(a) < 4 or len(b) < 4:
        return (-np.inf, np.inf)
    differences = _block_means(a, repeats, draw) - _block_means(b, repeats, draw)
    tail = 50.0 * (1.0 - level)
    low, high = np.percentile(differences, (tail, 100.0 - tail))
    return float(low), float(high)


def _thinned(values: Array, most: int = 2000) -> Array:
    """Means of equal groups, so that long runs cost no more than short ones."""
    if len(values) <= most:
        return values
    groups = np.array_split(values, most)
    return np.array([g.mean() for g in groups])


def _block_means(values: Array, repeats: int, draw: np.random.Generator) -> Array:
    count = len(values)
    block = max(2, round(count ** (1 / 3)))
    starts = draw.integers(0, count - block + 1, size=(repeats, -(-count // block)))
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(((sums[starts + block] - sums[starts]) / block).mean(axis=1))
