"""Pictures of normalisers, computed by the rules on nested lists."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

from gradoctor.knowledge.formulary._normaliser import (
    Block,
    batch_norm,
    largest,
    power_iteration,
    weight_norm,
)
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Curve, Grid, Picture, Plot

EXAMPLES, CHANNELS, POSITIONS = 4, 6, 4
FOCUS = (1, 2)
"""The example and channel (or the output and input) whose partners are marked."""
GROWTH = math.sqrt(math.pi / (math.pi - 1))
"""What batch normalisation and ReLU multiply the gradient by, a layer, in wide layers with large
batches and no skip connections (G. Yang et al., A Mean Field Theory of Batch Normalization,
ICLR 2019)."""


def sharing(shares: Callable[[int, int], bool], *, weights: bool = False) -> Grid:
    """A block of (N, C), or of weights: 2 for one cell, 1 for those that share its statistic."""
    names = (("output", "输出"), ("input", "输入")) if weights else (
        ("example", "样本"), ("channel", "通道"))  # fmt: skip
    rows, columns = (
        tuple(Words(f"{en} {i + 1}", f"{zh} {i + 1}") for i in range(count))
        for (en, zh), count in zip(names, (EXAMPLES, CHANNELS), strict=True)
    )
    values = tuple(
        tuple(2.0 if (n, c) == FOCUS else float(shares(n, c)) for c in range(CHANNELS))
        for n in range(EXAMPLES)
    )
    title = Words(
        "Which cells share a statistic with the cell marked 2",
        "与标 2 的格子共用统计量的格子（标 1）",
    )
    return Grid(title, rows, columns, values)


def block(seed: int = 0) -> Block:
    """A block of standard Gaussian values."""
    chance = random.Random(seed)
    return [[[chance.gauss(0, 1) for _ in range(POSITIONS)] for _ in range(CHANNELS)]
            for _ in range(EXAMPLES)]  # fmt: skip


def response(apply: Callable[[Block], Block]) -> Plot:
    """What one value, growing, does to its own output and to those of others."""
    n, c = FOCUS
    places = (
        (Words("the value itself", "该值自身"), (n, c, 0)),
        (Words("another position", "同一通道的另一位置"), (n, c, 1)),
        (Words("another channel", "同一样本的相邻通道"), (n, c - 1, 0)),
        (Words("another example", "另一样本的同一通道"), (n + 1, c, 0)),
    )
    inputs = tuple(i / 5 for i in range(-50, 51))
    outputs: list[Block] = []
    for value in inputs:
        given = block()
        given[n][c][0] = value
        outputs.append(apply(given))
    curves = tuple(
        Curve(label, inputs, tuple(out[a][b][p] for out in outputs)) for label, (a, b, p) in places
    )
    title = Words("One value grows: its output, and others'", "一个值变大：它自身与其他位置的输出")
    return Plot(title, Words("value", "输入值"), Words("output", "输出"), curves)


def companions() -> Plot:
    """The output of one example, an input of 1, in batches of chance companions."""
    chance = random.Random(0)
    sizes, rows = (2, 4, 8, 16, 32, 64, 128), []
    for size in sizes:
        found = sorted(
            batch_norm([[[1.0]], *([[chance.gauss(0, 1)]] for _ in range(size - 1))])[0][0][0]
            for _ in range(200)
        )
        rows.append((found[20], found[100], found[180]))
    low, middle, high = (tuple(row[i] for row in rows) for i in range(3))
    return Plot(
        Words("The same example in 200 batches: median, 10 % to 90 %", "同一样本在 200 个批次中的输出：中位数与 10%–90% 区间"),
        Words("batch size", "批量大小"),
        Words("output for an input of 1", "输入为 1 时的输出"),
        (Curve(Words("batch normalisation", "批归一化"), tuple(map(float, sizes)), middle,
               low=low, high=high),),
        log_x=True,
    )  # fmt: skip


def growth() -> Plot:
    """The gradient that batch normalisation and ReLU send back, by depth."""
    layers = tuple(map(float, range(51)))
    return Plot(
        Words("Batch norm + ReLU without skips: ×√(π/(π−1)) a layer", "批归一化 + ReLU、无残差连接：每层 ×√(π/(π−1))"),
        Words("layers back", "向后经过的层数"),
        Words("gradient, relative", "梯度（相对值）"),
        (Curve(Words("theory, wide layers", "理论值（宽层）"), layers,
               tuple(GROWTH**layer for layer in layers)),),
        log_y=True,
    )  # fmt: skip


def lengths() -> tuple[Picture, ...]:
    """Weight normalisation: the gradient of v by its length, and how v grows under SGD."""
    angle, norms = 1.0, tuple(10 ** (i / 20) for i in range(-20, 21))
    gradients = tuple(math.hypot(*_pull([n * math.cos(angle), n * math.sin(angle)])) for n in norms)
    growing = []
    for rate in (0.1, 1.0, 3.0):
        v, seen = [math.cos(angle), math.sin(angle)], []
        for _ in range(50):
            seen.append(math.hypot(*v))
            v = [x - rate * p for x, p in zip(v, _pull(v), strict=True)]
        label = Words(f"rate {rate:g}", f"学习率 {rate:g}")
        growing.append(Curve(label, tuple(map(float, range(50))), tuple(seen)))
    return (
        Plot(Words("The gradient of v falls as 1/‖v‖", "v 的梯度按 1/‖v‖ 下降"),
             Words.same("‖v‖"), Words("norm of the gradient", "梯度的范数"),
             (Curve(Words("gradient of v", "v 的梯度"), norms, gradients),),
             log_x=True, log_y=True),
        Plot(Words("v only grows under SGD: the larger the rate, the sooner it brakes",
                   "在 SGD 下 v 只增不减：学习率越大，自我刹车越早"),
             Words("step", "步数"), Words.same("‖v‖"), tuple(growing)),
    )  # fmt: skip


def _pull(v: list[float]) -> list[float]:
    """The gradient at v of ‖w − (1, 0)‖²/2 with w = v/‖v‖."""
    w, norm = weight_norm([v], [1.0])[0], math.hypot(*v)
    of_weight = [w[0] - 1.0, w[1]]
    along = sum(g * x for g, x in zip(of_weight, w, strict=True))
    return [(g - along * x) / norm for g, x in zip(of_weight, w, strict=True)]


def iterations() -> Plot:
    """How fast the power iteration finds the largest singular value, by the next one."""
    curves = []
    for second in (0.5, 0.9, 0.99):
        matrix = [[1.0, 0.0], [0.0, second]]
        left = right = [math.cos(1.4), math.sin(1.4)]
        found = []
        for _ in range(40):
            found.append(largest(matrix, left, right))
            left, right = power_iteration(matrix, left, right)
        label = Words.same(f"σ₂/σ₁ = {second}")
        curves.append(Curve(label, tuple(map(float, range(40))), tuple(found)))
    title = Words("The power iteration, where σ₁ = 1", "σ₁ = 1 时的幂迭代")
    return Plot(title, Words("iterations", "迭代次数"), Words("estimate of σ₁", "σ₁ 的估计"),
                tuple(curves))  # fmt: skip
