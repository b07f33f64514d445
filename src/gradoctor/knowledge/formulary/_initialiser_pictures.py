"""Pictures of initialisers: what becomes of the signal in depth."""

from __future__ import annotations

import math

from gradoctor.knowledge.formulary._initialiser import DEPTH, LAYERS, draw_signal
from gradoctor.knowledge.formulary._rectified import leaky
from gradoctor.knowledge.formulary._variances import fixup_scale
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Curve, Picture, Plot

WIDTH = 512
"""Of the layers in the pictures."""
DEFAULT = 1 / math.sqrt(3)
HE, TANH = math.sqrt(2), 1.5925374
RELU_TITLE = Words("Thirty ReLU layers", "三十层 ReLU 网络")
TANH_TITLE = Words("Thirty tanh layers", "三十层 tanh 网络")


def draw_zero() -> tuple[Picture, ...]:
    layers = (0.0, *LAYERS)
    return (
        Plot(
            Words("Zero weights in 30 layers", "三十层的零权重"),
            Words("layer", "层"),
            Words("RMS of the signal", "信号的均方根"),
            (
                Curve(Words("plain network", "普通网络"), layers, (1.0, *[0.0] * DEPTH)),
                Curve(
                    Words("last layer of each residual branch", "仅各残差支路的末层"),
                    layers,
                    (1.0,) * (DEPTH + 1),
                ),
            ),
            y_range=(0.0, 1.2),
        ),
    )


def draw_constant() -> tuple[Picture, ...]:
    curves = tuple(
        Curve(
            Words(f"c = {share:g} / {WIDTH}", f"c = {share:g} / {WIDTH}"),
            LAYERS,
            tuple(share**layer for layer in LAYERS),
        )
        for share in (0.5, 1.0, 2.0)
    )
    return (
        Plot(
            Words("Thirty layers of equal weights c, positive inputs of mean 1", "三十层相等的权重 c，输入为正且均值为 1"),
            Words("layer", "层"),
            Words("value of every unit", "每个单元的值"),
            curves,
            log_y=True,
        ),
    )  # fmt: skip


def draw_gaussian() -> tuple[Picture, ...]:
    deviations = (0.01, 0.03, math.sqrt(2 / WIDTH), 0.1)
    said = [Words.same(f"σ = {d:.3g}") for d in deviations]
    gains = [d * math.sqrt(WIDTH) for d in deviations]
    return tuple(
        draw_signal(title, [(w, value, g) for w, g in zip(said, gains, strict=True)])
        for title, value in ((RELU_TITLE, leaky), (TANH_TITLE, math.tanh))
    )


def draw_xavier() -> tuple[Picture, ...]:
    ways = (
        (Words("tanh, gain 1.5925", "tanh，增益 1.5925"), math.tanh, TANH),
        (Words("tanh, gain 1", "tanh，增益 1"), math.tanh, 1.0),
        (Words("ReLU, gain 1", "ReLU，增益 1"), leaky, 1.0),
    )
    return (
        draw_signal(Words("Xavier in 30 layers of equal width", "等宽三十层中的 Xavier"), ways),
    )


def draw_he() -> tuple[Picture, ...]:
    ways = (
        (Words("He (2 / fan_in)", "He（2 / fan_in）"), leaky, HE),
        (Words("Xavier (1 / fan_in)", "Xavier（1 / fan_in）"), leaky, 1.0),
        (Words("PyTorch's default (1 / (3 fan_in))", "PyTorch 默认（1 / (3 fan_in)）"), leaky, DEFAULT),
    )  # fmt: skip
    return (draw_signal(RELU_TITLE, ways),)


def draw_torch_default() -> tuple[Picture, ...]:
    ways = (
        (Words.same("ReLU"), leaky, DEFAULT),
        (Words.same("tanh"), math.tanh, DEFAULT),
        (Words("ReLU with He, for comparison", "对照：ReLU 配 He"), leaky, HE),
    )
    title = Words(
        "Thirty layers as PyTorch makes them, without biases", "PyTorch 默认的三十层，不计偏置"
    )
    return (draw_signal(title, ways),)


def draw_orthogonal() -> tuple[Picture, ...]:
    return (
        Plot(
            Words("Spread of the singular values s of a product of square layers", "方阵层乘积的奇异值 s 的离散程度"),
            Words("layers", "层数"),
            Words("E[s⁴] / E[s²]² (1: all equal)", "E[s⁴] / E[s²]²（1 表示全部相等）"),
            (
                Curve(Words("orthogonal", "正交"), LAYERS, (1.0,) * DEPTH),
                # the second Fuss-Catalan number: moments of a product of Gaussian matrices
                Curve(Words("Gaussian", "高斯"), LAYERS, tuple(k + 1 for k in LAYERS)),
            ),
            y_range=(0.0, DEPTH + 2.0),
        ),
    )  # fmt: skip


def draw_lsuv() -> tuple[Picture, ...]:
    # after LSUV each layer has the gain that its activation needs at unit variance
    ways = (
        (Words("ReLU, PyTorch's default", "ReLU，PyTorch 默认"), leaky, DEFAULT),
        (Words("ReLU, LSUV", "ReLU，LSUV"), leaky, HE),
        (Words("tanh, PyTorch's default", "tanh，PyTorch 默认"), math.tanh, DEFAULT),
        (Words("tanh, LSUV", "tanh，LSUV"), math.tanh, TANH),
    )
    return (draw_signal(Words("Before and after, in theory", "理论上的前后对比"), ways),)


def draw_fixup() -> tuple[Picture, ...]:
    branches = LAYERS
    stream = (
        (Words("He in every branch (begun by ReLU)", "各支路（以 ReLU 开头）均用 He"), tuple(2 ** (b / 2) for b in branches)),
        (Words("branches divided by √L", "支路除以 √L"), tuple((1 + 1 / b) ** (b / 2) for b in branches)),
        (Words("Fixup (branches end in 0)", "Fixup（支路末层为 0）"), (1.0,) * len(branches)),
    )  # fmt: skip
    return (
        Plot(
            Words("The residual stream at the start of training", "训练开始时的残差主干"),
            Words("residual branches L", "残差支路数 L"),
            Words("RMS at the end, relative to the beginning", "末端相对于起点的均方根"),
            tuple(Curve(said, branches, y) for said, y in stream),
            log_y=True,
        ),
        Plot(
            Words("Fixup's factor on the inner layers", "Fixup 对内层权重的缩放系数"),
            Words("residual branches L", "残差支路数 L"),
            Words.same("L^(−1/(2m − 2))"),
            tuple(
                Curve(Words.same(f"m = {m}"), branches, tuple(fixup_scale(int(b), m) for b in branches))
                for m in (2, 3, 4)
            ),
        ),
    )  # fmt: skip
