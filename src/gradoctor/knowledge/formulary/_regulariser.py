"""What an entry on a regulariser has besides, and regularisers on lists of floats."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from gradoctor.knowledge.formulary._entry import Entry, Row
from gradoctor.knowledge.formulary._updates import Floats, adam, adamw, sgd, start_adam, start_sgd
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Curve, Picture, Plot


@dataclass(frozen=True, slots=True, kw_only=True)
class Regulariser(Entry):
    """A regulariser.

    Attributes:
        acts_on: weights, gradients, activations or targets.
        apply: the rule on lists of floats.
        settings: its settings, with values to try.
        modes: what training and evaluation differ in.
        pitfalls: where it fails or surprises.
    """

    acts_on: Words
    apply: Callable[..., list[float]]
    settings: Mapping[str, Words]
    modes: Words
    pitfalls: tuple[Words, ...]

    def details(self) -> tuple[Row, ...]:
        """What it acts on, settings, modes, pitfalls."""
        return (
            (Words("acts on", "作用对象"), self.acts_on),
            *((Words.same(name), told) for name, told in self.settings.items()),
            (Words("training and evaluation", "训练与评估"), self.modes),
            *((Words("pitfall", "注意"), pitfall) for pitfall in self.pitfalls),
        )


def dropout(values: Floats, kept: Sequence[bool], *, p: float = 0.5) -> list[float]:
    """Dropout in training: what is kept grows by 1/(1 − p)."""
    return [v / (1 - p) if keep else 0.0 for v, keep in zip(values, kept, strict=True)]


def smoothed(target: int, classes: int, *, label_smoothing: float = 0.1) -> list[float]:
    """The distribution that stands for a class."""
    rest = label_smoothing / classes
    return [rest + (1 - label_smoothing) * (k == target) for k in range(classes)]


def smoothed_loss(logits: Floats, target: int, *, label_smoothing: float = 0.1) -> float:
    """Cross-entropy against the smoothed target."""
    top = max(logits)
    total = top + math.log(sum(math.exp(z - top) for z in logits))
    shares = smoothed(target, len(logits), label_smoothing=label_smoothing)
    return sum(q * (total - z) for q, z in zip(shares, logits, strict=True))


def best_margin(classes: int, label_smoothing: float) -> float:
    """How far the right logit stands above the others where the smoothed loss is least."""
    return math.log1p(classes * (1 - label_smoothing) / label_smoothing)


def clip_by_norm(gradients: Floats, *, max_norm: float) -> list[float]:
    """All gradients by one factor, so that their norm is ``max_norm`` at most."""
    norm = math.sqrt(sum(g * g for g in gradients))  # hypot would make inf of inf and NaN
    # in this order min keeps a NaN, as PyTorch's clamp does
    factor = min(max_norm / (norm + 1e-6), 1.0)
    return [factor * g for g in gradients]


def clip_by_value(gradients: Floats, *, clip_value: float) -> list[float]:
    """Each gradient between two bounds; a NaN stays one."""
    return [g if math.isnan(g) else max(-clip_value, min(clip_value, g)) for g in gradients]


_STEP = Words("step", "步数")
_WEIGHT = Words("weight", "权重")


def decay_alone() -> Plot:
    """A weight that nothing but the decay moves, under SGD."""
    curves = []
    for decay in (0.1, 0.01, 0.001):
        weights, state, found = [1.0], start_sgd(1), []
        for _ in range(300):
            found.append(weights[0])
            weights = sgd(weights, [0.0], state, lr=0.1, weight_decay=decay)
        label = Words.same(f"weight_decay = {decay}")
        curves.append(Curve(label, tuple(map(float, range(300))), tuple(found)))
    title = Words("Decay alone, SGD at rate 0.1", "只有衰减：SGD，学习率 0.1")
    return Plot(title, _STEP, _WEIGHT, tuple(curves))


def decay_under_adam() -> Plot:
    """Two weights whose gradients alternate, large and small: L2 under Adam, and AdamW."""
    curves = []
    for name, rule in (("Adam + L2", adam), ("AdamW", adamw)):
        weights, state, found = [1.0, 1.0], start_adam(2), []
        for step in range(1000):
            found.append(weights)
            sign = (-1) ** step
            gradients = [10.0 * sign, 0.1 * sign]
            weights = rule(weights, gradients, state, lr=1e-3, weight_decay=0.1)
        for i, size in enumerate(("±10", "±0.1")):
            label = Words(f"{name}, gradients {size}", f"{name}，梯度 {size}")
            apart = 111 if (name, i) == ("AdamW", 1) else 1  # marks on the line of the other
            values = tuple(weights[i] for weights in found)[::apart]
            steps = tuple(map(float, range(0, 1000, apart)))
            curves.append(Curve(label, steps, values, points=apart > 1))
    title = Words(
        "L2 under Adam decays a weight by its gradient; AdamW decays all alike",
        "Adam 下的 L2 因权重的梯度大小而衰减不同；AdamW 对所有权重一视同仁",
    )
    return Plot(title, _STEP, _WEIGHT, tuple(curves))


def dropped_losses() -> tuple[Picture, ...]:
    """Linear regression under dropout of its inputs: the loss in training; variance by p."""
    chance = random.Random(0)
    examples = [[chance.gauss(0, 1) for _ in range(8)] for _ in range(32)]
    targets = [sum(x) for x in examples]
    curves = []
    for p in (0.0, 0.2, 0.5):
        weights, found = [0.0] * 8, []
        for _ in range(150):
            slopes, loss = [0.0] * 8, 0.0
            for x, target in zip(examples, targets, strict=True):
                seen = dropout(x, [chance.random() >= p for _ in x], p=p)
                error = sum(w * s for w, s in zip(weights, seen, strict=True)) - target
                loss += error**2 / 64
                slopes = [g + error * s / 32 for g, s in zip(slopes, seen, strict=True)]
            found.append(loss)
            weights = [w - 0.1 * g for w, g in zip(weights, slopes, strict=True)]
        curves.append(Curve(Words.same(f"p = {p}"), tuple(map(float, range(150))), tuple(found)))
    shares = tuple(i / 100 for i in range(91))
    variance = Curve(
        Words("inputs of mean 0", "均值为 0 的输入"), shares, tuple(1 / (1 - p) for p in shares)
    )
    return (
        Plot(Words("Training loss of a linear fit under dropout", "使用 dropout 的线性拟合的训练损失"),
             _STEP, Words("loss", "损失"), tuple(curves), log_y=True),
        Plot(Words("Variance in training over variance in evaluation", "训练时方差与评估时方差之比"),
             Words.same("p"), Words("ratio", "比值"), (variance,)),
    )  # fmt: skip


def smoothed_margins() -> tuple[Picture, ...]:
    """Loss, and pull on the right logit, by its margin over nine others."""
    margins = tuple(i / 10 for i in range(-20, 121))
    losses, pulls = [], []
    for share in (0.0, 0.1, 0.2):
        label = Words.same(f"label_smoothing = {share}")
        target = smoothed(0, 10, label_smoothing=share)[0]
        values = tuple(smoothed_loss([m, *[0.0] * 9], 0, label_smoothing=share) for m in margins)
        slopes = tuple(1 / (1 + 9 * math.exp(-m)) - target for m in margins)
        losses.append(Curve(label, margins, values))
        pulls.append(Curve(label, margins, slopes))
    margin = Words(
        "margin of the right logit over 9 others", "正确类别的 logit 高出其余 9 类的幅度"
    )
    return (
        Plot(Words("With smoothing, more confidence costs", "标签平滑下，过度自信有代价"), margin,
             Words("loss", "损失"), tuple(losses)),
        Plot(Words("Gradient at the right logit: p − q", "正确类别 logit 处的梯度：p − q"), margin,
             Words("gradient", "梯度"), tuple(pulls)),
    )  # fmt: skip


_DIRECTION = (1.0, 0.1)


def clipped_norms() -> Plot:
    """The norm of what is left, by the norm of what came."""
    sizes = tuple(10 ** (i / 20) for i in range(-40, 61))
    curves = []
    for most in (0.1, 1.0, 10.0):
        norms = tuple(
            math.hypot(*clip_by_norm([size * d for d in _DIRECTION], max_norm=most))
            for size in sizes
        )
        curves.append(Curve(Words.same(f"max_norm = {most:g}"), _norms(sizes), norms))
    title = Words("The norm is capped", "范数被限制")
    return Plot(title, Words("norm before", "裁剪前的范数"), Words("norm after", "裁剪后的范数"),
                tuple(curves), log_x=True, log_y=True)  # fmt: skip


def turned() -> Plot:
    """How far clipping turns a gradient of (10, 1), by its norm."""
    sizes = tuple(10 ** (i / 20) for i in range(-40, 61))
    curves = []
    rules: tuple[tuple[Words, Callable[[Floats], list[float]]], ...] = (
        (Words("by value, clip_value = 1", "按值裁剪，clip_value = 1"),
         lambda g: clip_by_value(g, clip_value=1.0)),
        (Words("by norm, max_norm = 1", "按范数裁剪，max_norm = 1"),
         lambda g: clip_by_norm(g, max_norm=1.0)),
    )  # fmt: skip
    for label, rule in rules:
        angles = []
        for size in sizes:
            left = rule([size * d for d in _DIRECTION])
            angle = math.atan2(left[1], left[0]) - math.atan2(_DIRECTION[1], _DIRECTION[0])
            angles.append(math.degrees(angle))
        curves.append(Curve(label, _norms(sizes), tuple(angles)))
    title = Words(
        "Degrees by which a gradient along (10, 1) is turned", "沿 (10, 1) 的梯度被转过的角度"
    )
    return Plot(title, Words("norm before", "裁剪前的范数"), Words("degrees", "角度（度）"),
                tuple(curves), log_x=True)  # fmt: skip


def _norms(sizes: tuple[float, ...]) -> tuple[float, ...]:
    return tuple(size * math.hypot(*_DIRECTION) for size in sizes)
