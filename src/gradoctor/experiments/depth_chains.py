"""The rule of the chain's product, beside the quantity that decides in a wide network."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median

import torch
from torch import nn

from gradoctor.experiments._judging import BITS, halves, line, once
from gradoctor.experiments._networks import (
    ACTIVATIONS,
    Stack,
    generator,
    pulled,
    scaled,
    slope,
)
from gradoctor.experiments.depth_products import slopes
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Plot
from gradoctor.lab import Outcome, Spread
from gradoctor.theory.gaussian import Array, expectation

DEPTH, WIDTH, SEEDS = 20, 128, 5
GAINS = (0.5, 1.0, 2**0.5, 2.0, 4.0, 8.0)
NAMES = ("sigmoid", "tanh", "relu")
SIGMA = Words("scale of the weights σ_w", "权重尺度 σ_w")


def value_of(name: str) -> Callable[[Array], Array]:
    """An activation as a function of arrays."""
    return lambda z: ACTIVATIONS[name]()(torch.from_numpy(z)).numpy()


def slope_of(name: str) -> Callable[[Array], Array]:
    """Its derivative as a function of arrays."""
    return lambda z: slopes(ACTIVATIONS[name](), torch.from_numpy(z)).numpy()


def chi_bits(name: str, gain: float, depth: int = DEPTH) -> float:
    """½ log2 χ1 on average over the layers: χ1 = σ_w² E[φ′(√q z)²], q the mean square of z."""
    phi, derivative = value_of(name), slope_of(name)
    q, bits = gain**2, 0.0
    for _ in range(depth):
        root = math.sqrt(q)
        chi = gain**2 * expectation(lambda z, r=root: derivative(r * z) ** 2)  # type: ignore[misc]
        bits += 0.5 * math.log2(chi) if chi > 0 else -math.inf
        q = gain**2 * expectation(lambda z, r=root: phi(r * z) ** 2)  # type: ignore[misc]
    return bits / depth


def product_bits(name: str, gain: float, width: int = WIDTH) -> float:
    """log2 of a typical slope times a typical weight, E|φ′| · E|w|, as the rule has it."""
    typical = expectation(lambda z: abs(slope_of(name)(gain * z)))
    return math.log2(typical * gain * math.sqrt(2 / math.pi / width))


def measured_bits(name: str | Callable[[], nn.Module], gain: float) -> Spread:
    """What the gradient gains a layer on its way back, over the seeds."""
    found = []
    for seed in range(SEEDS):
        x = torch.randn(64, WIDTH, generator=generator(seed), dtype=torch.float64)
        net = Stack(
            DEPTH, name, scaled(gain), inputs=WIDTH, width=WIDTH, seed=seed, dtype=torch.float64
        )
        found.append(slope(pulled(net, x, seed)))
    return Spread.of(found)


def chain_error() -> float:
    """A chain one unit wide: its gradient against the product of φ′·w, the largest of 5 seeds."""
    worst = 0.0
    for seed in range(SEEDS):
        net = Stack(
            DEPTH, "tanh", scaled(1.5), inputs=1, width=1, outputs=1, seed=seed, dtype=torch.float64
        )
        x = torch.full((1, 1), 0.7, dtype=torch.float64, requires_grad=True)
        states = net.states(x)
        (gradient,) = torch.autograd.grad(states[-1].sum(), x)
        product = 1.0
        for before, linear in zip(states, net.linears()[:-1], strict=False):
            z = linear(before.detach()).detach()
            product *= float(slopes(nn.Tanh(), z)) * float(linear.weight.detach())
        worst = max(worst, abs(float(gradient) - product) / abs(product))
    return worst


def product_rule() -> Outcome:
    """Claim 8.

    Two halves. In a chain one unit wide the gradient is the product of φ′·w to 1e-12 (float64).
    In stacks 128 wide (three activations, six scales of weights; those that change by more than
    0.1 bits a layer) a typical φ′·w above or below 1 tells growth from decline in 90 % of them.
    χ1 = σ_w² E[φ′²] is put to the same test beside it.
    """
    error = chain_error()
    found = {(n, g): measured_bits(n, g) for n in NAMES for g in GAINS}
    chi = {key: chi_bits(*key) for key in found}
    product = {key: product_bits(*key) for key in found}
    clear = [key for key, bits in found.items() if abs(bits.middle) > 0.1]

    def right(rule: dict[tuple[str, float], float]) -> float:
        return sum((rule[k] > 0) == (found[k].middle > 0) for k in clear) / len(clear)

    off = median(abs(chi[key] - found[key].middle) for key in found)
    measured = Words(
        f"One unit wide, the gradient is the product of φ′·w to {error:.0e}. In {len(clear)} "
        f"stacks {WIDTH} wide a typical φ′·w foretells growth or decline in {right(product):.0%}; "
        f"χ1 = σ_w²·E[φ′²] does in {right(chi):.0%} and misses the slope by {off:.2f} bits per "
        f"layer (median).",
        f"宽度为 1 的链中，梯度与 φ′·w 的连乘积只差 {error:.0e}。在 {len(clear)} 个宽度为 {WIDTH} "
        f"的网络中，用典型的 φ′·w 预测梯度增减，正确率为 {right(product):.0%}；用 χ1 = "
        "σ_w²·E[φ′²] 预测，"
        f"正确率为 {right(chi):.0%}，斜率误差的中位数为每层 {off:.2f} 比特。",
    )
    figures = {f"bits.{n}.gain_{g:.3g}": s for (n, g), s in found.items()}
    figures |= {"chain.error": once(error), "right.product": once(right(product))}
    figures |= {"right.chi": once(right(chi)), "off.chi": once(off)}
    curves = []
    for name in NAMES:
        seen = (found[name, g].middle for g in GAINS)
        curves.append(line(Words(f"{name}: measured", f"{name}：实测"), GAINS, seen, points=True))
        curves.append(line(f"{name}: ½ log2 χ1", GAINS, (chi[name, g] for g in GAINS)))
    rule = Words("ReLU: typical φ′·w", "ReLU：典型的 φ′·w")
    curves.append(line(rule, GAINS, (product["relu", g] for g in GAINS)))
    title = Words("Growth of the gradient per layer", "梯度每层的增长")
    picture = Plot(title, SIGMA, BITS, tuple(curves), log_x=True)
    verdict = halves(error < 1e-12, right(product) >= 0.9)
    return Outcome(verdict, measured, figures, (picture,), SEEDS)


class Steep(nn.Module):
    """A leaky ReLU whose slopes are both above 1: 2 and 1.2."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The value."""
        return torch.where(x > 0, 2 * x, 1.2 * x)


def steep_activations() -> Outcome:
    """Claim 9.

    Two halves, in stacks of 20 layers, 128 wide; growing is +0.5 bits a layer (a factor of a
    thousand in all) in every seed. An activation with slopes of 2 and 1.2 makes the gradient grow
    at σ_w = 1; and no activation whose slope stays at or below 1 (ReLU, tanh) does at any of six
    scales of the weights.
    """
    z = torch.arange(-8000, 8001, dtype=torch.float64) / 1000
    largest = {name: float(slopes(make(), z).max()) for name, make in ACTIVATIONS.items()}
    steep = {gain: measured_bits(Steep, gain) for gain in GAINS}
    flat = {name: {g: measured_bits(name, g) for g in GAINS} for name in ("relu", "tanh")}
    grown = any(bits.low > 0.5 for found in flat.values() for bits in found.values())
    double = flat["relu"][GAINS[3]]
    measured = Words(
        f"The largest slope of a common activation is {max(largest.values()):.3g} (GELU); ReLU's "
        f"is 1. Slopes of 2 and 1.2 give {steep[1.0]} bits per layer at σ_w = 1 but {steep[0.5]} "
        f"at 0.5; ReLU gives {double} at σ_w = 2 and {flat['relu'][8.0]} at 8.",
        f"常用激活函数的最大导数为 {max(largest.values()):.3g}（GELU），ReLU 为 1。"
        f"导数为 2 和 1.2 的激活函数在 σ_w = 1 时每层增长 {steep[1.0]} 比特，在 σ_w = 0.5 时却为 "
        f"{steep[0.5]}；"
        f"ReLU 在 σ_w = 2 时为 {double}，σ_w = 8 时为 {flat['relu'][8.0]}。",
    )
    figures = {f"largest.{n}": once(v) for n, v in largest.items()}
    figures |= {f"bits.steep.gain_{g:.3g}": s for g, s in steep.items()}
    for name, found in flat.items():
        figures |= {f"bits.{name}.gain_{g:.3g}": s for g, s in found.items()}
    swept = {"φ′ = 1.2, 2": steep, "ReLU": flat["relu"], "tanh": flat["tanh"]}
    sweep = Plot(
        Words("Weights make gradients explode", "使梯度爆炸的是权重"),
        SIGMA,
        BITS,
        tuple(line(n, GAINS, (s.middle for s in found.values())) for n, found in swept.items()),
        log_x=True,
    )
    bars = Bars(
        Words("Largest derivative", "最大导数"),
        tuple(Words.same(name) for name in largest),
        tuple(largest.values()),
    )
    verdict = halves(steep[1.0].low > 0.5, not grown)
    return Outcome(verdict, measured, figures, (sweep, bars), SEEDS)
