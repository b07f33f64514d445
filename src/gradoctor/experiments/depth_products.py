"""What a product over many layers comes to: linear maps, slopes of the sigmoid, powers of 1/4."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn

from gradoctor.experiments._judging import LAYER, halves, line, once, same
from gradoctor.experiments._networks import ACTIVATIONS, Stack, generator, pulled, scaled
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Plot
from gradoctor.lab import Outcome, Spread

PUBLISHED = 1.75e-12
"""What the notes give for 0.25 to the power of 20."""


def slopes(make: nn.Module, at: Tensor) -> Tensor:
    """An activation's derivative by autograd."""
    at = at.clone().requires_grad_()
    (found,) = torch.autograd.grad(make(at).sum(), at)
    return found


def unexplained(x: Tensor, y: Tensor) -> float:
    """The share of ``y``'s variance that the best affine function of ``x`` leaves over."""
    with_one = torch.cat([x, x.new_ones(len(x), 1)], 1)
    rest = y - with_one @ torch.linalg.lstsq(with_one, y).solution
    return float(rest.square().sum() / (y - y.mean(0)).square().sum())


def one_linear_map() -> Outcome:
    """Claim 1.

    True when ten linear layers equal the product of their matrices to 1e-10 (float64, relative to
    the largest output), and the same weights with ReLU or tanh leave at least 1 % of the variance
    to no affine map.
    """
    chance = generator(0)
    x = torch.randn(2000, 32, generator=chance, dtype=torch.float64)
    net = Stack(10, "linear", scaled(1.0), inputs=32, width=32, seed=1, dtype=torch.float64)
    with torch.no_grad():
        product = torch.eye(32, dtype=torch.float64)
        for layer in net.linears():
            product = layer.weight @ product
        out = net(x)
        error = float((out - x @ product.T).abs().max() / out.abs().max())
        left = {}
        for name in ("linear", "relu", "tanh"):
            made = Stack(10, name, scaled(1.4), inputs=32, width=32, seed=1, dtype=torch.float64)
            left[name] = unexplained(x, made(x))
    holds = error < 1e-10 and min(left["relu"], left["tanh"]) > 0.01
    measured = Words(
        f"Ten linear layers and the product of their matrices differ by {error:.1e} of the largest "
        f"output (float64). With the best affine map taken off, ReLU leaves {left['relu']:.0%} of "
        f"the variance and tanh {left['tanh']:.0%}; no activation leaves {left['linear']:.0e}.",
        f"十个线性层与其权重矩阵之积的输出最多相差 {error:.1e}（相对于最大输出，float64）。"
        f"减去最佳仿射拟合后，ReLU 网络还剩 {left['relu']:.0%} 的方差，tanh 剩 {left['tanh']:.0%}；"
        f"没有激活函数时只剩 {left['linear']:.0e}。",
    )
    picture = Bars(
        Words("What no affine map explains of ten layers", "十层网络中仿射映射无法解释的方差占比"),
        same(left),
        tuple(left.values()),
        Words("share of the variance", "方差占比"),
        log=True,
    )
    figures = {"error": once(error), **{f"left.{k}": once(v) for k, v in left.items()}}
    return Outcome(halves(holds), measured, figures, (picture,))


def sigmoid_slope() -> Outcome:
    """Claim 2.

    True when the derivative that autograd gives (float64, 24,001 points on [-12, 12]) is nowhere
    above 0.25, is 0.25 to 1e-15 at its largest, and is largest at 0.
    """
    z = torch.arange(-12000, 12001, dtype=torch.float64) / 1000
    found = {name: slopes(ACTIVATIONS[name](), z) for name in ("sigmoid", "tanh", "relu", "gelu")}
    largest = {name: float(slope.max()) for name, slope in found.items()}
    top, at = largest["sigmoid"], float(z[found["sigmoid"].argmax()])
    holds = abs(top - 0.25) < 1e-15 and abs(at) < 1e-9
    far = float(slopes(nn.Sigmoid(), torch.tensor([6.0], dtype=torch.float64)))
    measured = Words(
        f"The sigmoid's derivative is largest at z = {at:.3g}, where it is {top:.6f}; at z = 6 it "
        f"is {far:.2e}. (tanh: {largest['tanh']:.3g}, GELU: "
        f"{largest['gelu']:.3g} at most.)",
        f"sigmoid 的导数在 z = {at:.3g} 处最大，为 {top:.6f}；z = 6 时为 {far:.2e}。"
        f"（最大导数：tanh {largest['tanh']:.3g}，GELU {largest['gelu']:.3g}。）",
    )
    thin = slice(6000, 18001, 60)
    picture = Plot(
        Words("Derivatives of activations", "激活函数的导数"),
        Words.same("z"),
        Words.same("φ′(z)"),
        tuple(line(name, z[thin].tolist(), found[name][thin].tolist()) for name in found),
    )
    figures = {f"largest.{k}": once(v) for k, v in largest.items()}
    return Outcome(halves(holds), measured, figures, (picture,))


def quarter_to_the_twentieth() -> Outcome:
    """Claim 3.

    True when 0.25^20 is within 1 % of the 1.75e-12 that the notes give.
    """
    power = 0.25**20
    base = PUBLISHED ** (1 / 20)
    measured = Words(
        f"0.25^20 = 2^-40 = {power:.4e}; {PUBLISHED:.2e} is {PUBLISHED / power:.2f} times as much "
        f"and would need a base of {base:.4f}.",
        f"0.25^20 = 2^-40 = {power:.4e}；{PUBLISHED:.2e} 是它的 {PUBLISHED / power:.2f} 倍，"
        f"要得到这个数，底数须为 {base:.4f}。",
    )
    layers = range(1, 21)
    picture = Plot(
        Words("The largest product of n slopes of the sigmoid", "n 个 sigmoid 导数之积的最大值"),
        Words("layers", "层数"),
        Words("product", "乘积"),
        (
            line("0.25ⁿ", layers, (0.25**n for n in layers)),
            line(Words("as the notes have it", "笔记中的数值"), [20], [PUBLISHED], points=True),
        ),
        log_y=True,
    )
    holds = math.isclose(power, PUBLISHED, rel_tol=0.01)
    figures = {"power": once(power), "base": once(base)}
    return Outcome(halves(holds), measured, figures, (picture,))


# ---- what 20 sigmoids really do ------------------------------------------------------------------
GAINS = (3**-0.5, 1.0, 2.0, 4.0, 6.0, 8.0, 12.0)
DEPTH = 20


def _passed(gain: float, seed: int) -> list[float]:
    """The gradient's rms at each of 21 places, 20 sigmoid layers apart, over that at the last."""
    x = torch.randn(128, 64, generator=generator(seed), dtype=torch.float64)
    net = Stack(DEPTH, "sigmoid", scaled(gain), seed=seed, dtype=torch.float64)
    sizes = pulled(net, x, seed)
    return [size / sizes[-1] for size in sizes]


def _largest_singular_value(seed: int) -> float:
    """Of the Jacobian of 20 sigmoid layers whose matrices are orthogonal: each of norm 1."""
    net = Stack(
        DEPTH, "sigmoid", lambda w, g: nn.init.orthogonal_(w, generator=g),
        inputs=32, width=32, seed=seed, dtype=torch.float64,
    )  # fmt: skip
    x = torch.randn(32, generator=generator(seed), dtype=torch.float64)
    jacobian = torch.func.jacrev(lambda v: net.states(v[None])[-1][0])(x)
    return float(torch.linalg.matrix_norm(jacobian.detach(), 2))


def twenty_sigmoids() -> Outcome:
    """Claim 4.

    Two halves. That 0.25^20 bounds the gradient: the Jacobian of 20 layers with orthogonal
    matrices has no singular value above it (5 seeds). That it is the gradient: for seven scales of
    random weights the median over 5 seeds is within a factor of 10 of it.
    """
    seeds = range(5)
    runs = {gain: [_passed(gain, seed) for seed in seeds] for gain in GAINS}
    ratios = {gain: Spread.of(run[0] for run in found) for gain, found in runs.items()}
    norms = Spread.of(_largest_singular_value(seed) for seed in seeds)
    bound = 0.25**DEPTH
    near = [0.1 < r.middle / bound < 10 for r in ratios.values()]
    usual, most = ratios[GAINS[0]], max(ratios.values(), key=lambda r: r.middle)
    measured = Words(
        f"Through 20 sigmoid layers the gradient keeps {usual} of its size at PyTorch's own scale "
        f"of weights (σ_w = 0.58), {ratios[1.0]} at σ_w = 1, {ratios[4.0]} at 4, and {most} at the "
        f"best of seven scales; 0.25^20 is {bound:.2e}. With orthogonal matrices (norm 1) the "
        f"largest singular value is {norms}: below the bound.",
        f"穿过 20 个 sigmoid 层后，梯度剩下的比例：PyTorch 默认尺度（σ_w = 0.58）为 {usual}，"
        f"σ_w = 1 为 {ratios[1.0]}，σ_w = 4 为 {ratios[4.0]}，七种尺度中最大的为 {most}；"
        f"而 0.25^20 = {bound:.2e}。权重为正交矩阵（范数为 1）时，雅可比矩阵的"
        f"最大奇异值为 {norms}，在该上界之内。",
    )
    figures = {f"ratio.gain_{g:.3g}": r for g, r in ratios.items()}
    figures["norm.orthogonal"] = norms
    verdict = halves(norms.high <= bound, all(near))
    return Outcome(verdict, measured, figures, _drawn(runs, ratios, bound), len(seeds))


def _drawn(
    runs: dict[float, list[list[float]]], ratios: dict[float, Spread], bound: float
) -> tuple[Plot, Plot]:
    swept = line(Words("measured", "实测"), ratios, (r.middle for r in ratios.values()))
    sweep = Plot(
        Words(
            "What is left of a gradient after 20 sigmoid layers",
            "穿过 20 个 sigmoid 层后梯度剩余的比例",
        ),
        Words("scale of the weights σ_w", "权重尺度 σ_w"),
        Words("gradient, first over last", "首层梯度 / 末层梯度"),
        (swept, line("0.25²⁰", ratios, [bound] * len(ratios))),
        log_x=True,
        log_y=True,
    )
    layers = range(DEPTH + 1)
    by_layer = Plot(
        Words("The gradient by layer", "各层的梯度"),
        LAYER,
        Words("gradient over that at the last layer", "与末层梯度之比"),
        (
            *(
                line(f"σ_w = {g:.3g}", layers, np.median(runs[g], axis=0).tolist())
                for g in (GAINS[0], 1.0, 4.0, 8.0)
            ),
            line("0.25ⁿ", layers, (0.25 ** (DEPTH - n) for n in layers)),
        ),
        log_y=True,
    )
    return sweep, by_layer
