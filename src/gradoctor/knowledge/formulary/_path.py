"""What an entry on a gradient path has besides; steps of the paths on lists of floats."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass

from gradoctor.knowledge.formulary._entry import Entry, Row
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Curve, Picture, Plot

Floats = list[float]
Matrix = list[list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Path(Entry):
    """A path that gradients take through depth or time.

    Attributes:
        step: one layer or one time step on lists of floats.
        direct: what the gradient is multiplied by along the direct path.
        start: how it is initialised, and how it should be.
        pitfalls: where it fails or surprises.
    """

    step: Callable[..., Floats | tuple[Floats, Floats]]
    direct: Words
    start: Words
    pitfalls: tuple[Words, ...]

    def details(self) -> tuple[Row, ...]:
        """The direct path, the start, pitfalls."""
        return (
            (Words("along the direct path", "沿直接通路"), self.direct),
            (Words("at the start", "初始化"), self.start),
            *((Words("pitfall", "注意"), pitfall) for pitfall in self.pitfalls),
        )


def residual(values: Floats, branch: Callable[[Floats], Floats], *, scale: float = 1.0) -> Floats:
    """A residual block: what came in, and what the branch makes of it."""
    return [x + scale * f for x, f in zip(values, branch(values), strict=True)]


def lstm_step(
    inputs: Floats,
    hidden: Floats,
    cell: Floats,
    weight_ih: Matrix,
    weight_hh: Matrix,
    bias_ih: Floats,
    bias_hh: Floats,
) -> tuple[Floats, Floats]:
    """Hidden state and cell after a step; the gates lie as PyTorch has them: i, f, g, o."""
    total = _add(_affine(weight_ih, inputs, bias_ih), _affine(weight_hh, hidden, bias_hh))
    size = len(hidden)
    i, f, g, o = (total[k * size : (k + 1) * size] for k in range(4))
    cell = [
        sigmoid(forget) * c + sigmoid(enter) * math.tanh(new)
        for forget, c, enter, new in zip(f, cell, i, g, strict=True)
    ]
    return [sigmoid(out) * math.tanh(c) for out, c in zip(o, cell, strict=True)], cell


def gru_step(
    inputs: Floats,
    hidden: Floats,
    weight_ih: Matrix,
    weight_hh: Matrix,
    bias_ih: Floats,
    bias_hh: Floats,
) -> Floats:
    """The hidden state after a step; the gates lie as PyTorch has them: r, z, n.

    z keeps the old state, and r multiplies W·h + b, not h.
    """
    given, own = _affine(weight_ih, inputs, bias_ih), _affine(weight_hh, hidden, bias_hh)
    size = len(hidden)
    reset = [sigmoid(a + b) for a, b in zip(given[:size], own[:size], strict=True)]
    keep = [sigmoid(a + b) for a, b in zip(given[size:-size], own[size:-size], strict=True)]
    new = [math.tanh(a + r * b) for a, r, b in zip(given[-size:], reset, own[-size:], strict=True)]
    return [(1 - z) * n + z * h for z, n, h in zip(keep, new, hidden, strict=True)]


def sigmoid(value: float) -> float:
    """The logistic function."""
    return (1 + math.tanh(value / 2)) / 2


def _affine(matrix: Matrix, vector: Floats, bias: Floats) -> Floats:
    return [sum(w * x for w, x in zip(row, vector, strict=True)) + b
            for row, b in zip(matrix, bias, strict=True)]  # fmt: skip


def _add(left: Floats, right: Floats) -> Floats:
    return [x + y for x, y in zip(left, right, strict=True)]


WIDTH = 16
LAGS = 100
DEPTH = 50
FORGET = (0.5, 0.73, 0.95, 0.99)
"""Forget gates: at a bias of 0, of 1, of about 3, and one that is trained to keep."""


def kept_by_gate(title: Words, symbol: str) -> Plot:
    """The gradient over time: along a gated path, and through a plain recurrent network."""
    lags = tuple(map(float, range(LAGS + 1)))
    gates = tuple(
        Curve(Words.same(f"{symbol} = {gate}"), lags, tuple(gate**lag for lag in lags))
        for gate in FORGET
    )
    plain = Curve(Words("plain tanh RNN, PyTorch's start", "普通 tanh RNN，PyTorch 默认初始化"),
                  lags, tuple(plain_recurrence()))  # fmt: skip
    return Plot(
        title, Words("steps back", "向后的时间步数"), _RELATIVE, (*gates, plain), log_y=True
    )


def plain_recurrence(seed: int = 0) -> list[float]:
    """Norms of a gradient on its way back through a plain RNN with random inputs."""
    chance = random.Random(seed)
    weights = _default_weights(chance)
    hidden, slopes = [0.0] * WIDTH, []
    for _ in range(LAGS):
        drive = [chance.gauss(0, 1) / math.sqrt(3) for _ in range(WIDTH)]
        hidden = [math.tanh(t) for t in _affine(weights, hidden, drive)]
        slopes.append([1 - h * h for h in hidden])
    gradient = _unit([chance.gauss(0, 1) for _ in range(WIDTH)])
    norms = [1.0]
    for slope in reversed(slopes):
        gradient = _back(weights, [g * s for g, s in zip(gradient, slope, strict=True)])
        norms.append(math.hypot(*gradient))
    return norms


def depth_pictures() -> tuple[Picture, ...]:
    """Signal forward and gradient back through 50 tanh layers: plain, residual, scaled."""
    kinds = (
        (Words("plain: tanh(Wx)", "普通：tanh(Wx)"), 0.0, 1.0),
        (Words("residual: x + tanh(Wx)", "残差：x + tanh(Wx)"), 1.0, 1.0),
        (Words("scaled: x + tanh(Wx)/√L", "缩放残差：x + tanh(Wx)/√L"), 1.0, DEPTH**-0.5),
    )
    runs = [(label, *through(skip, scale)) for label, skip, scale in kinds]
    layers = tuple(map(float, range(DEPTH + 1)))
    return (
        Plot(Words("Gradient on its way back, weights N(0, 1/n)", "反向传播途中的梯度，权重服从 N(0, 1/n)"),
             Words("layers back", "向后经过的层数"), _RELATIVE,
             tuple(Curve(label, layers, tuple(back)) for label, _, back in runs), log_y=True),
        Plot(Words("Mean square of the signal on its way forward", "前向途中信号的均方值"),
             Words("layer", "层"), Words("mean square", "均方值"),
             tuple(Curve(label, layers, tuple(there)) for label, there, _ in runs), log_y=True),
    )  # fmt: skip


def through(skip: float, scale: float, seed: int = 0) -> tuple[list[float], list[float]]:
    """Mean squares of a signal forward, and norms of a gradient back, through tanh layers."""
    chance = random.Random(seed)
    signal = [chance.gauss(0, 1) for _ in range(WIDTH)]
    squares, kept = [sum(x * x for x in signal) / WIDTH], []
    for _ in range(DEPTH):
        weights = [[chance.gauss(0, WIDTH**-0.5) for _ in range(WIDTH)] for _ in range(WIDTH)]
        branch = [math.tanh(t) for t in _affine(weights, signal, [0.0] * WIDTH)]
        kept.append((weights, [scale * (1 - b * b) for b in branch]))
        signal = [skip * x + scale * b for x, b in zip(signal, branch, strict=True)]
        squares.append(sum(x * x for x in signal) / WIDTH)
    gradient = _unit([chance.gauss(0, 1) for _ in range(WIDTH)])
    norms = [1.0]
    for weights, slope in reversed(kept):
        branch = _back(weights, [g * s for g, s in zip(gradient, slope, strict=True)])
        gradient = [skip * g + b for g, b in zip(gradient, branch, strict=True)]
        norms.append(math.hypot(*gradient))
    return squares, norms


def _default_weights(chance: random.Random) -> Matrix:
    """Recurrent weights as PyTorch starts them: uniform between ±1/√n."""
    bound = WIDTH**-0.5
    return [[chance.uniform(-bound, bound) for _ in range(WIDTH)] for _ in range(WIDTH)]


def _back(weights: Matrix, gradient: Floats) -> Floats:
    return [sum(w * g for w, g in zip(column, gradient, strict=True))
            for column in zip(*weights, strict=True)]  # fmt: skip


def _unit(vector: Floats) -> Floats:
    return [x / math.hypot(*vector) for x in vector]


_RELATIVE = Words("gradient, relative", "梯度（相对值）")
