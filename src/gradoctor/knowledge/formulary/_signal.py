"""How a signal and its gradient scale in depth, for the pictures: one number a layer.

Wide fully connected layers without biases, weights of variance gain² / width. The figures of the
entries are tested against ``gradoctor.theory``, which needs numpy; pictures are drawn without it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

Function = Callable[[float], float]

REACH, STEP = 8.0, 0.05
"""Outside 8 standard deviations lies less than 2e-15."""
# Midpoints, so that no node lies on the kink at 0, where a slope has one value of two.
_NODES = tuple((k + 0.5) * STEP for k in range(-round(REACH / STEP), round(REACH / STEP)))
_WEIGHTS = tuple(STEP / math.sqrt(2 * math.pi) * math.exp(-z * z / 2) for z in _NODES)


def second_moment(function: Function, variance: float = 1.0) -> float:
    """E[f(x)²] for x ~ N(0, variance)."""
    scale = math.sqrt(variance)
    return sum(w * function(scale * z) ** 2 for z, w in zip(_NODES, _WEIGHTS, strict=True))


def signal(value: Function, gain: float, depth: int) -> Iterator[float]:
    """The variance of the pre-activations of layers 1 to ``depth``; 1 at the first."""
    variance = 1.0
    for _ in range(depth):
        yield variance
        variance = gain**2 * second_moment(value, variance)


def gradient(value: Function, slope: Function, gain: float, depth: int) -> Iterator[float]:
    """The gradient's RMS in the first layer relative to the last, for 1 to ``depth`` layers."""
    square = 1.0
    for variance in signal(value, gain, depth):
        yield math.sqrt(square)
        square *= gain**2 * second_moment(slope, variance)
