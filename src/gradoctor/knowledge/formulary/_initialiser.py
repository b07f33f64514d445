"""What the entries of initialisers have besides, and the pictures of signals in depth."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gradoctor.knowledge.formulary._entry import Entry, Row
from gradoctor.knowledge.formulary._signal import Function, signal
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Curve, Plot

DEPTH = 30
LAYERS = tuple(float(k) for k in range(1, DEPTH + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Initialiser(Entry):
    """An initialiser.

    Attributes:
        variance: of a weight, of (fan_in, fan_out, gain); None where the data decide.
        variance_said: the same as a formula.
        scaling: what a layer does to the signal and to the gradient, with figures.
        symmetric: it makes the units of a layer equal, and gradients keep them equal.
        pitfalls: of fans, biases and order.
    """

    kind: str = "initialisers"
    variance: Callable[[int, int, float], float] | None
    variance_said: Words
    scaling: Words
    symmetric: bool = False
    pitfalls: Words

    def signal_factor(self, fan_in: int, fan_out: int, gain: float = 1.0) -> float | None:
        """The variance of a layer's output over the mean square of its input."""
        return None if self.variance is None else fan_in * self.variance(fan_in, fan_out, gain)

    def gradient_factor(self, fan_in: int, fan_out: int, gain: float = 1.0) -> float | None:
        """The mean square of the gradient at a layer's input over that at its output."""
        return None if self.variance is None else fan_out * self.variance(fan_in, fan_out, gain)

    def details(self) -> tuple[Row, ...]:
        """Variance, scaling, symmetry, pitfalls."""
        symmetric = Words(
            "yes: the units of a layer are equal, receive equal gradients, and never differ",
            "是：同层各单元相同，得到的梯度也相同，永远不会分化",
        )
        return (
            (Words("variance of a weight", "权重的方差"), self.variance_said),
            (Words("signal and gradient per layer", "每层的信号与梯度"), self.scaling),
            (
                Words("symmetric units", "单元对称"),
                symmetric if self.symmetric else Words("no", "否"),
            ),
            (Words("pitfalls", "易错之处"), self.pitfalls),
        )


def draw_signal(title: Words, ways: Iterable[tuple[Words, Function, float]]) -> Plot:
    """The RMS of the pre-activations per layer, for (label, activation, gain)."""
    curves = (
        Curve(said, LAYERS, tuple(map(math.sqrt, signal(value, gain, DEPTH))))
        for said, value, gain in ways
    )
    return Plot(
        title,
        Words("layer", "层"),
        Words("RMS of the pre-activations", "预激活的均方根"),
        tuple(curves),
        log_y=True,
    )
