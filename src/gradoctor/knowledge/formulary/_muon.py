"""Pictures of Muon: what Newton-Schulz does to singular values, and a descent."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

from gradoctor.knowledge.formulary._curvature import COEFFICIENTS, muon, start_muon
from gradoctor.knowledge.formulary._updates import State, momentum, start_sgd
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Curve, Picture, Plot

STIFFNESS = (1.0, 1.0, 25.0, 25.0)
"""Curvatures of a loss of a 2 x 2 matrix: its second row is steep."""


def grown(value: float, iterations: int) -> float:
    """A singular value after some iterations of Newton-Schulz."""
    a, b, c = COEFFICIENTS
    for _ in range(iterations):
        value = a * value + b * value**3 + c * value**5
    return value


def muon_pictures() -> tuple[Picture, ...]:
    """Singular values in and out, and the loss of a matrix against momentum's."""
    values = tuple(i / 200 for i in range(201))
    curves = tuple(
        Curve(
            Words(f"{n} iterations" if n > 1 else "1 iteration", f"{n} 次迭代"),
            values,
            tuple(grown(value, n) for value in values),
        )
        for n in (1, 3, 5)
    )
    descents: tuple[tuple[Words, Callable[..., list[float]], State], ...] = (
        (Words("muon, rate 0.05", "muon，学习率 0.05"),
         partial(muon, lr=0.05, weight_decay=0.0), start_muon(4, 2)),
        (Words("momentum, rate 0.02", "动量法，学习率 0.02"),
         partial(momentum, lr=0.02), start_sgd(4)),
    )  # fmt: skip
    return (
        Plot(
            Words(
                "Newton–Schulz brings singular values near 1",
                "Newton–Schulz 迭代把奇异值拉到 1 附近",
            ),
            Words("singular value before", "迭代前的奇异值"),
            Words("after", "迭代后"),
            curves,
        ),
        Plot(
            Words(
                "Steps of a fixed size: at a constant rate Muon does not settle",
                "步长固定：学习率不变时，Muon 无法稳定下来",
            ),
            Words("step", "步数"),
            Words("loss", "损失"),
            tuple(_descent(*descent) for descent in descents),
            log_y=True,
        ),
    )


def _descent(label: Words, step: Callable[..., list[float]], state: State) -> Curve:
    weights, losses = [1.0, -0.6, 0.8, 0.4], []
    for _ in range(200):
        gradients = [s * w for s, w in zip(STIFFNESS, weights, strict=True)]
        losses.append(sum(g * w for g, w in zip(gradients, weights, strict=True)) / 2)
        weights = step(weights, gradients, state)
    known = tuple(loss or math.nan for loss in losses)
    return Curve(label, tuple(map(float, range(len(known)))), known)
