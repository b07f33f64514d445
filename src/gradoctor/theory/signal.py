"""Moments of a signal in a wide random network, and what each operation does to them.

After Poole et al. 2016 and Schoenholz et al. 2017 for dense layers (the mean square and the
correlation between two inputs), and Yang et al. 2019 for batch normalisation, which sees their
difference. Weights are random and independent of what they multiply; pre-activations are Gaussian.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from gradoctor.theory.gaussian import Array, expectation, panels

PAIR = (6.0, 48, 4)
"""Reach, panels and order of the quadrature in each of two dimensions."""
TINY = 1e-300


class Moments(NamedTuple):
    """What is kept of a tensor: of its values, or of the gradient with respect to it.

    Attributes:
        mean: over all elements.
        square: mean square of the elements.
        cross: mean product of the same unit in two different samples.
    """

    mean: float
    square: float
    cross: float

    @property
    def variance(self) -> float:
        """About the mean of all elements."""
        return max(self.square - self.mean**2, 0.0)

    @property
    def spread(self) -> float:
        """The variance of a unit over the samples: what a batch norm divides by."""
        return max(self.square - self.cross, 0.0)

    @property
    def similarity(self) -> float:
        """Correlation between two samples: 1 when all inputs give the same output."""
        return self.cross / self.square if self.square > TINY else 1.0


Signals = tuple[Moments, ...]


class Rule(Protocol):
    """What an operation does to moments: of its inputs' values, and of its output's gradient."""

    def forward(self, xs: Signals, seen: Moments) -> Moments:
        """Moments of the output, for those of the inputs; ``seen`` is what was measured of it."""

    def backward(self, xs: Signals, g: Moments) -> Signals:
        """Moments of the gradient with respect to each input, for those of the output's."""


@dataclass(frozen=True, slots=True)
class Weights:
    """A random linear map.

    Attributes:
        mean, variance: of the elements of the weight.
        fan_in: terms in the sum of one output element (on average, where padding cuts some).
        fan_out: output elements that one input element goes into.
        bias_mean, bias_square: of the elements of the bias.
    """

    mean: float
    variance: float
    fan_in: float
    fan_out: float
    bias_mean: float = 0.0
    bias_square: float = 0.0

    def forward(self, xs: Signals, seen: Moments) -> Moments:
        """Moments of the output."""
        (x,) = xs
        shift = self.fan_in * self.mean * x.mean
        mean = shift + self.bias_mean
        # the square of the mean comes on top of what random weights make of the signal
        rest = self.bias_square + shift**2 + 2 * shift * self.bias_mean
        scale = self.fan_in * self.variance
        return Moments(mean, scale * x.square + rest, scale * x.cross + rest)

    def backward(self, xs: Signals, g: Moments) -> Signals:
        """Moments of the input's gradient."""
        scale = self.fan_out * self.variance
        return (Moments(0.0, scale * g.square, scale * g.cross),)


@dataclass(frozen=True, slots=True)
class Elementwise:
    """A function of each element, with its derivative; both take and give arrays of float64."""

    value: Callable[[Array], Array]
    slope: Callable[[Array], Array]

    def forward(self, xs: Signals, seen: Moments) -> Moments:
        """Moments of the output for a Gaussian input."""
        (x,) = xs
        at, deviation = x.mean, math.sqrt(x.variance)
        mean = expectation(lambda z: self.value(at + deviation * z))
        square = expectation(lambda z: self.value(at + deviation * z) ** 2)
        return Moments(mean, square, _pair(self.value, x))

    def backward(self, xs: Signals, g: Moments) -> Signals:
        """Moments of the input's gradient."""
        (x,) = xs
        at, deviation = x.mean, math.sqrt(x.variance)
        square = expectation(lambda z: self.slope(at + deviation * z) ** 2)
        cross = _pair(self.slope, x) if g.cross else 0.0
        return (Moments(0.0, g.square * square, g.cross * cross),)


def _pair(function: Callable[[Array], Array], x: Moments) -> float:
    """E[f(u1) f(u2)] for two samples of a unit."""
    if x.variance <= TINY:
        return float(function(np.array([x.mean]))[0] ** 2)
    share = (x.cross - x.mean**2) / x.variance
    rho = min(max(share, 0.0), 1.0)
    nodes, weights = panels(*PAIR)
    # what two samples share, and what each has of its own
    shared = x.mean + math.sqrt(x.variance * rho) * nodes
    own = math.sqrt(x.variance * (1 - rho)) * nodes
    inner = function((shared[:, None] + own[None, :]).ravel()).reshape(len(nodes), -1) @ weights
    return float(weights @ inner**2)


@dataclass(frozen=True, slots=True)
class Normalised:
    """A normalisation with a gain and a shift.

    Attributes:
        over: ``batch`` (a unit over the samples), ``features`` (a sample over its units), or
            ``rms`` (likewise, about zero).
        count: elements that share a statistic.
        gain_square, shift_mean, shift_square: of the elements of gain and shift.
        epsilon: added to the variance.
        unevenness: mean(1/v) mean(v) over the variances v that were divided by: 1 in an infinitely
            wide network, more where samples differ in scale.
    """

    over: str
    count: float
    gain_square: float = 1.0
    shift_mean: float = 0.0
    shift_square: float = 0.0
    epsilon: float = 1e-5
    unevenness: float = 1.0

    def _divisor(self, x: Moments) -> float:
        known = {"batch": x.spread, "features": x.variance, "rms": x.square}
        return max(known[self.over] + self.epsilon, TINY)

    def forward(self, xs: Signals, seen: Moments) -> Moments:
        """Moments of the output."""
        (x,) = xs
        divisor = self._divisor(x)
        if self.over == "batch":
            square = x.spread / divisor
            cross = -square / max(self.count - 1, 1)
        elif self.over == "features":
            square, cross = x.variance / divisor, (x.cross - x.mean**2) / divisor
        else:
            square, cross = x.square / divisor, x.cross / divisor
        scale, shift = self.gain_square, self.shift_square
        return Moments(self.shift_mean, scale * square + shift, scale * cross + shift)

    def backward(self, xs: Signals, g: Moments) -> Signals:
        """Moments of the input's gradient.

        The gradient loses its mean and its part along the output: two of ``count`` directions, and
        over a batch all that the samples have in common.
        """
        (x,) = xs
        scale = self.gain_square * self.unevenness / self._divisor(x)
        if self.over == "batch":
            square = scale * max(g.square - g.cross, 0.0) * max(1 - 2 / self.count, 0.0)
            return (Moments(0.0, square, -square / max(self.count - 1, 1)),)
        lost = (1 if self.over == "rms" else 2) / self.count
        keep = scale * max(1 - lost, 0.0)
        return (Moments(0.0, keep * g.square, keep * g.cross),)


@dataclass(frozen=True, slots=True)
class Scale:
    """Multiplies by a constant, or drops at random (what two samples share stays as it was)."""

    square: float
    random: bool = False

    def forward(self, xs: Signals, seen: Moments) -> Moments:
        """Moments of the output."""
        (x,) = xs
        return self._of(x)._replace(mean=x.mean) if self.random else self._of(x)

    def backward(self, xs: Signals, g: Moments) -> Signals:
        """Moments of the input's gradient."""
        return (self._of(g),)

    def _of(self, x: Moments) -> Moments:
        out = scaled(x, self.square)
        return out._replace(cross=x.cross) if self.random else out


@dataclass(frozen=True, slots=True)
class Add:
    """A sum of independent signals: a residual connection, a position."""

    def forward(self, xs: Signals, seen: Moments) -> Moments:
        """Moments of the output."""
        return added(xs)

    def backward(self, xs: Signals, g: Moments) -> Signals:
        """The gradient goes to every term."""
        return tuple(g for _ in xs)


@dataclass(frozen=True, slots=True)
class Multiply:
    """A product of two independent signals: a gate."""

    def forward(self, xs: Signals, seen: Moments) -> Moments:
        """Moments of the output."""
        return _product(*xs)

    def backward(self, xs: Signals, g: Moments) -> Signals:
        """Each factor's gradient is scaled by the other."""
        return tuple(_product(g, other) for other in reversed(xs))


@dataclass(frozen=True, slots=True)
class Reshape:
    """The same elements in another order, a part of them, or several times.

    Attributes:
        share: elements of the output for each element of the input.
    """

    share: float = 1.0

    def forward(self, xs: Signals, seen: Moments) -> Moments:
        """The same moments; what counts as a sample may have changed."""
        (x,) = xs
        return x._replace(cross=x.square * seen.similarity)

    def backward(self, xs: Signals, g: Moments) -> Signals:
        """Moments of the input's gradient."""
        return (scaled(g, self.share),)


@dataclass(frozen=True, slots=True)
class Local:
    """An operation without a rule: what it gave was measured, and its Jacobian with noise.

    Attributes:
        gains: for each input the mean square of its gradient for a unit gradient of the output.
        square: mean square of the first input when that was measured.
    """

    gains: tuple[float, ...]
    square: float

    def forward(self, xs: Signals, seen: Moments) -> Moments:
        """As measured, in proportion to the input: pooling and means keep proportions."""
        return scaled(seen, xs[0].square / self.square) if self.square and xs else seen

    def backward(self, xs: Signals, g: Moments) -> Signals:
        """Moments of each input's gradient."""
        return tuple(scaled(g, gain) for gain in self.gains)


def added(parts: Signals) -> Moments:
    """The sum of independent signals."""
    mean = sum(p.mean for p in parts)
    between = mean**2 - sum(p.mean**2 for p in parts)
    return Moments(
        mean, sum(p.square for p in parts) + between, sum(p.cross for p in parts) + between
    )


def averaged(parts: Sequence[Moments]) -> Moments:
    """The moments of several groups of samples of one size, taken together."""
    return Moments(*(sum(column) / len(parts) for column in zip(*parts, strict=True)))


def _product(first: Moments, second: Moments) -> Moments:
    """The product of independent signals."""
    return Moments(
        first.mean * second.mean, first.square * second.square, first.cross * second.cross
    )


def scaled(x: Moments, square: float) -> Moments:
    """A signal or gradient all of whose second moments are multiplied by a number."""
    return Moments(x.mean * math.sqrt(square), x.square * square, x.cross * square)
