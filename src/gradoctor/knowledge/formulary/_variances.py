"""Variances that initialisers draw with, by the fans of a layer."""

from __future__ import annotations


def none(fan_in: int, fan_out: int, gain: float) -> float:
    """All weights are equal."""
    return 0.0


def gaussian(fan_in: int, fan_out: int, gain: float) -> float:
    """The square of the standard deviation, which stands for the gain; fans play no part."""
    return gain**2


def xavier(fan_in: int, fan_out: int, gain: float) -> float:
    """The mean of the two fans decides."""
    return 2 * gain**2 / (fan_in + fan_out)


def he(fan_in: int, fan_out: int, gain: float) -> float:
    """The number of inputs decides; with ReLU the gain is the root of 2."""
    return gain**2 / fan_in


def torch_default(fan_in: int, fan_out: int, gain: float) -> float:
    """Of ``nn.Linear`` and the convolutions; there is no gain to choose."""
    return 1 / (3 * fan_in)


def orthogonal(fan_in: int, fan_out: int, gain: float) -> float:
    """The larger side decides."""
    return gain**2 / max(fan_in, fan_out)


def fixup_scale(branches: int, layers: int) -> float:
    """What Fixup multiplies the weights inside a residual branch with, but for the last layer.

    Args:
        branches: residual branches of the network, L.
        layers: weight layers of a branch, m, at least 2.
    """
    return float(branches ** (-1 / (2 * layers - 2)))
