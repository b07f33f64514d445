"""What an entry on an optimizer has besides, and the pictures of optimizers."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from gradoctor.knowledge.formulary._entry import Entry, Row
from gradoctor.knowledge.formulary._updates import Floats, State, sgd, start_sgd
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import NOTHING, Curve, Picture, Plot

INVARIANCES: dict[str, Words] = {
    "scale": Words("the gradient's scale", "梯度的整体缩放"),
    "diagonal": Words("a scale of its own for each weight's gradient", "每个权重梯度各自的缩放"),
    "sign": Words("all but the gradient's sign", "梯度的大小（只看符号）"),
    "rotation": Words("rotating the weights", "权重空间的旋转"),
    "orthogonal": Words(
        "rotating the inputs or the outputs of the layer", "该层输入或输出空间的旋转"
    ),
}
"""What may be done to the gradients, or to the weights, without changing the path."""

STIFFNESS = (1.0, 100.0)
"""Curvatures of the ravine that paths are drawn on: f(w) = (w₁² + 100·w₂²)/2."""
BEGINNING = (-4.0, 0.6)
STEPS = 60
PLAIN_RATE = 0.018
"""Of gradient descent, beside which paths are drawn: it zigzags, for 2/λmax is 0.02."""
NOISE = 4.0
"""Standard deviation of what is added to a gradient of the ravine for a mini-batch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer(Entry):
    """An optimizer.

    Attributes:
        start: ``start(count)`` gives the state before the first step.
        step: ``step(weights, gradients, state, **hyperparameters)`` gives the new weights and
            brings the state up to date; L-BFGS takes a closure in place of the gradients.
        floats: what the state holds, in floats for each weight.
        state: what it holds, in words.
        defaults: PyTorch's.
        rates: learning rates to try, from and to.
        invariant: keys of ``INVARIANCES``.
        proviso: what that holds up to; empty where it is exact.
        pitfalls: where it fails or surprises.
    """

    start: Callable[[int], State]
    step: Callable[..., list[float]]
    floats: int
    state: Words
    defaults: Mapping[str, Any]
    rates: tuple[float, float]
    invariant: tuple[str, ...]
    proviso: Words = NOTHING
    pitfalls: tuple[Words, ...]

    def details(self) -> tuple[Row, ...]:
        """State, defaults, rates, invariance, pitfalls."""
        defaults = ", ".join(f"{name}={value}" for name, value in self.defaults.items())
        return (
            (Words("state", "状态"), self.state),
            (Words("floats of state per weight", "每个权重的状态（浮点数个数）"),
             Words.same(str(self.floats))),
            (Words("defaults", "默认值"), Words.same(defaults)),
            (Words("learning rates to try", "可尝试的学习率"),
             Words.same(f"{self.rates[0]:g} – {self.rates[1]:g}")),
            (Words("invariant to", "不变性"), self._invariances()),
            *((Words("pitfall", "注意"), pitfall) for pitfall in self.pitfalls),
        )  # fmt: skip

    def _invariances(self) -> Words:
        names = [INVARIANCES[key] for key in self.invariant]
        if not names:
            return Words("nothing", "无")
        en, zh = ", ".join(n.en for n in names), "、".join(n.zh for n in names)
        if self.proviso.en:
            en, zh = f"{en} ({self.proviso.en})", f"{zh}（{self.proviso.zh}）"
        return Words(en, zh)


def slope(weights: Floats) -> list[float]:
    """The gradient of the ravine."""
    return [s * w for s, w in zip(STIFFNESS, weights, strict=True)]


def height(weights: Floats) -> float:
    """The loss in the ravine."""
    return sum(s * w * w for s, w in zip(STIFFNESS, weights, strict=True)) / 2


def descend(
    start: Callable[[int], State],
    step: Callable[..., list[float]],
    *,
    noise: float = 0.0,
    steps: int = STEPS,
    closure: bool = False,
    **hyperparameters: Any,
) -> list[list[float]]:
    """The path through the ravine, the beginning first.

    Args:
        noise: standard deviation of what is added to each gradient, the same for every rule.
        closure: the rule asks for losses and gradients itself, once a step.
    """
    chance = random.Random(0)

    def seen(weights: Floats) -> list[float]:
        return [g + chance.gauss(0, noise) for g in slope(weights)]

    path, state = [list(BEGINNING)], start(len(BEGINNING))
    for _ in range(steps):
        now = path[-1]
        told = (lambda at: (height(at), seen(at))) if closure else seen(now)
        path.append(step(now, told, state, **hyperparameters))
    return path


def drawer(
    name: str,
    start: Callable[[int], State],
    step: Callable[..., list[float]],
    *,
    noisy: bool = False,
    closure: bool = False,
    **hyperparameters: Any,
) -> Callable[[], tuple[Picture, ...]]:
    """Makes what draws the path of an optimizer, its loss, and its effective steps.

    Args:
        noisy: its loss under noisy gradients is drawn too.
    """

    def draw() -> tuple[Picture, ...]:
        path = descend(start, step, closure=closure, **hyperparameters)
        plain = descend(start_sgd, sgd, lr=PLAIN_RATE)
        losses = [_losses(Words.same(name), path)]
        if noisy:
            label = Words(f"{name}, mini-batch noise", f"{name}，带小批量噪声")
            rough = descend(start, step, closure=closure, noise=NOISE, **hyperparameters)
            losses.append(_losses(label, rough))
        losses.append(_losses(_PLAIN, plain))
        return (
            _paths((_line(Words.same(name), path), _line(_PLAIN, plain))),
            Plot(Words("Loss in the ravine", "峡谷中的损失"), _STEP, Words("loss", "损失"),
                 tuple(losses), log_y=True),
            _effective(path),
        )  # fmt: skip

    return draw


_WINDOW = 60
_STEP = Words("step", "步数")
_PLAIN = Words(f"gradient descent, rate {PLAIN_RATE}", f"梯度下降，学习率 {PLAIN_RATE}")


def noisy_path() -> tuple[Picture, ...]:
    """SGD against full-batch gradient descent, and the floor that noise sets at two rates."""
    exact, rough = (descend(start_sgd, sgd, lr=PLAIN_RATE, noise=n) for n in (0.0, NOISE))
    floors = []
    for rate in (PLAIN_RATE, 0.004):
        path = descend(start_sgd, sgd, lr=rate, noise=NOISE, steps=25 * _WINDOW)
        windows = [path[i : i + _WINDOW] for i in range(0, len(path) - 1, _WINDOW)]
        means = tuple(sum(map(height, window)) / _WINDOW for window in windows)
        middles = tuple(_WINDOW * (i + 0.5) for i in range(len(means)))
        floors.append(Curve(Words(f"SGD, rate {rate}", f"SGD，学习率 {rate}"), middles, means))
    return (
        _paths((_line(floors[0].label, rough), _line(_PLAIN, exact))),
        Plot(
            Words("Noise sets a floor for the loss: the smaller the rate, the lower the floor",
                  "噪声决定了损失的下限：学习率越小，下限越低"),
            _STEP,
            Words(f"loss, mean of {_WINDOW} steps", f"损失（{_WINDOW} 步平均）"),
            tuple(floors), log_y=True,
        ),
    )  # fmt: skip


def rates_of_descent() -> tuple[Picture, ...]:
    """Gradient descent at rates below and above 2/λmax."""
    rates = (0.002, 0.01, 0.019, 0.0202)
    paths = [descend(start_sgd, sgd, lr=rate, steps=30) for rate in rates]
    labels = [Words(f"rate {rate:g}", f"学习率 {rate:g}") for rate in rates]
    named = list(zip(labels, paths, strict=True))
    return (
        _paths(tuple(_line(label, path) for label, path in named[1:3])),
        Plot(
            Words("Above 2/λmax = 0.02 the loss grows", "学习率超过 2/λmax = 0.02 时损失上升"),
            _STEP, Words("loss", "损失"), tuple(_losses(*pair) for pair in named), log_y=True,
        ),
    )  # fmt: skip


def _line(label: Words, path: list[list[float]]) -> Curve:
    return Curve(label, tuple(p[0] for p in path), tuple(p[1] for p in path))


def _losses(label: Words, path: list[list[float]]) -> Curve:
    known = tuple(height(p) or math.nan for p in path)  # 0 has no place on a log axis
    return Curve(label, tuple(map(float, range(len(path)))), known)


def _paths(lines: tuple[Curve, ...]) -> Plot:
    title = Words("Path through the ravine (w₁² + 100·w₂²)/2", "在峡谷 (w₁² + 100·w₂²)/2 中的路径")
    rings = tuple(_ring(level) for level in (0.5, 3.0, 10.0, 25.0))
    return Plot(title, Words.same("w₁"), Words.same("w₂"), (*lines, *rings))


def _ring(level: float) -> Curve:
    turns = [2 * math.pi * i / 72 for i in range(73)]
    radii = [math.sqrt(2 * level / s) for s in STIFFNESS]
    return Curve(
        Words(f"loss {level:g}", f"损失 {level:g}"),
        tuple(radii[0] * math.cos(t) for t in turns),
        tuple(radii[1] * math.sin(t) for t in turns),
    )


def _effective(path: list[list[float]]) -> Plot:
    labels = (Words("flat direction w₁", "平缓方向 w₁"), Words("steep direction w₂", "陡峭方向 w₂"))
    curves = []
    for axis, label in enumerate(labels):
        moves = [abs(b[axis] - a[axis]) for a, b in pairwise(path)]
        slopes = [abs(slope(p)[axis]) for p in path[:-1]]
        sizes = tuple(m / s if m and s else math.nan for m, s in zip(moves, slopes, strict=True))
        curves.append(Curve(label, tuple(map(float, range(len(sizes)))), sizes))
    title = Words("Effective rate |Δw|/|g| of each weight", "每个权重的有效学习率 |Δw|/|g|")
    return Plot(title, _STEP, Words("effective rate", "有效学习率"), tuple(curves), log_y=True)
