"""What is said to keep gradients alive through many layers: ReLU, its leaky form, batch norm."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradoctor.experiments._data import digits
from gradoctor.experiments._judging import BITS, LOSS, STEP, band, halves, line, same
from gradoctor.experiments._networks import (
    HE,
    Draw,
    Stack,
    generator,
    pulled,
    scaled,
    slope,
    spread,
    usual,
    xavier,
)
from gradoctor.experiments._training import Trained, entropy, train
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Grid, Plot
from gradoctor.lab import Outcome, Spread

SEEDS = 5
LEAKY_HE = scaled(math.sqrt(2 / (1 + 0.1**2)))
FADES = -0.25
"""Bits a layer below which a gradient is said to vanish: a factor of 32 over 20 layers."""
DEPTHS_LABEL = Words("hidden layers", "隐藏层数")


def bits(
    activation: str, draw: Draw, depth: int = 20, norm: Callable[[int], nn.Module] | None = None
) -> Spread:
    """What the gradient gains a layer on its way back through a stack fed with digits."""
    x = digits().x[:128].double()
    return Spread.of(
        slope(
            pulled(
                Stack(depth, activation, draw, seed=seed, norm=norm, dtype=torch.float64), x, seed
            )[1:]
        )
        for seed in range(SEEDS)
    )


def learnt(net: Stack, seed: int, steps: int = 300, lr: float = 0.05) -> Trained:
    """A training on the digits by SGD."""
    return train(net, digits(), SGD(net.parameters(), lr), steps=steps, seed=seed)


# ---- ReLU ----------------------------------------------------------------------------------------
INITS: dict[str, Draw] = {
    "N(0, 0.01²)": spread(0.01), "PyTorch": usual, "Xavier": xavier, "He": HE,
}  # fmt: skip


def relu_against_vanishing() -> Outcome:
    """Claim 10.

    Two halves, in stacks of 20 ReLU layers on the digits, 5 seeds: with He's initialisation, and
    with what ``nn.Linear`` draws by itself. A half holds when the gradient loses no more than 0.25
    bits a layer, and within 400 steps of SGD at 0.03 the loss of every seed halves from the
    entropy of the labels.
    """
    names = ("sigmoid", "tanh", "relu", "leaky_relu", "gelu")
    found = {(n, i): bits(n, draw) for n in names for i, draw in INITS.items()}
    ends = {
        (n, i): Spread.of(
            learnt(Stack(20, n, INITS[i], seed=s), s, 400, 0.03).lowest() for s in range(SEEDS)
        )
        for n, i in (("relu", "He"), ("relu", "PyTorch"), ("sigmoid", "Xavier"))
    }
    half = entropy(digits().y) / 2

    def holds(init: str) -> bool:
        return found["relu", init].low > FADES and ends["relu", init].high < half

    he, own = found["relu", "He"], found["relu", "PyTorch"]
    measured = Words(
        f"20 ReLU layers: {he} bits per layer with He's initialisation, {own} with PyTorch's own "
        f"(a factor of {2 ** (19 * own.middle):.0e} over 19 layers). Lowest loss in 400 steps of "
        f"SGD: {ends['relu', 'He']} and {ends['relu', 'PyTorch']}; sigmoid at Xavier "
        f"{ends['sigmoid', 'Xavier']}; the entropy of the labels is {2 * half:.3g}.",
        f"20 层 ReLU：He 初始化时梯度每层变化 {he} 比特，PyTorch 默认初始化时为 {own}"
        f"（19 层累计 {2 ** (19 * own.middle):.0e} 倍）。SGD 训练 400 步内的最低损失分别为 "
        f"{ends['relu', 'He']} 和 {ends['relu', 'PyTorch']}；sigmoid 配 Xavier 为 "
        f"{ends['sigmoid', 'Xavier']}；标签的熵为 {2 * half:.3g}。",
    )
    grid = Grid(
        Words("The gradient through 20 layers", "梯度穿过 20 层的变化"),
        same(names),
        same(INITS),
        tuple(tuple(found[n, i].middle for i in INITS) for n in names),
        BITS,
    )
    figures = {f"bits.{n}.{i}": s for (n, i), s in found.items()}
    figures |= {f"loss.{n}.{i}": s for (n, i), s in ends.items()}
    return Outcome(halves(holds("He"), holds("PyTorch")), measured, figures, (grid,), SEEDS)


# ---- leaky ReLU ----------------------------------------------------------------------------------
def dead_share(activation: str, draw: Draw, seed: int) -> float:
    """The share of pre-activations of 20 float32 layers whose gradient is exactly 0."""
    net = Stack(20, activation, draw, seed=seed)
    state, before = digits().x[:128], []
    for block in net.blocks:
        before.append(block.linear(state))  # type: ignore[operator]
        state = block.activation(before[-1])  # type: ignore[operator]
    pull = torch.randn(state.shape, generator=generator(seed, "pull"))
    found: Sequence[Tensor] = torch.autograd.grad(state, before, pull)
    return sum(float((g == 0).double().mean()) for g in found) / len(found)


def leaky_slopes() -> Outcome:
    """Claim 13.

    Three parts, leaky ReLU with slope 0.1, depths 5 to 100, 5 seeds, each activation at the scale
    of weights that suits it. Its gradient fades (below -0.25 bits a layer at some depth); no
    pre-activation has a gradient of exactly 0; it keeps at least 1 bit a layer more than sigmoid.
    """
    depths = (5, 10, 20, 50, 100)
    draws = {"sigmoid": xavier, "relu": HE, "leaky_relu": LEAKY_HE}
    found = {(n, d): bits(n, draw, d) for n, draw in draws.items() for d in depths}
    dead = {n: Spread.of(dead_share(n, d, s) for s in range(SEEDS)) for n, d in draws.items()}
    leaky = [found["leaky_relu", d] for d in depths]
    gap = min(found["leaky_relu", d].low - found["sigmoid", d].high for d in depths)
    at = {name: found[name, 20] for name in draws}
    measured = Words(
        f"Over 20 layers leaky ReLU changes the gradient by {at['leaky_relu']} bits per layer, "
        f"ReLU by {at['relu']}, sigmoid by {at['sigmoid']}. Exactly 0 are {dead['leaky_relu']} of "
        f"leaky ReLU's gradients and {dead['relu']} of ReLU's.",
        f"20 层中，leaky ReLU 的梯度每层变化 {at['leaky_relu']} 比特，ReLU 为 {at['relu']}，"
        f"sigmoid 为 {at['sigmoid']}。梯度恰为 0 的比例：leaky ReLU 为 {dead['leaky_relu']}，"
        f"ReLU 为 {dead['relu']}。",
    )
    picture = Plot(
        Words("The gradient by depth", "不同深度下的梯度变化"),
        DEPTHS_LABEL,
        BITS,
        tuple(line(n, depths, (found[n, d].middle for d in depths)) for n in draws),
        log_x=True,
    )
    figures = {f"bits.{n}.{d}": s for (n, d), s in found.items()}
    figures |= {f"dead.{n}": s for n, s in dead.items()}
    verdict = halves(min(s.middle for s in leaky) < FADES, dead["leaky_relu"].high == 0, gap > 1)
    return Outcome(verdict, measured, figures, (picture,), SEEDS)


# ---- batch norm ----------------------------------------------------------------------------------
WIDE_BN_RELU = 0.5 * math.log2(math.pi / (math.pi - 1))
"""Bits a layer that ReLU after batch norm adds in the limit of width (Yang et al. 2019)."""


def batch_norm() -> Outcome:
    """Claim 15.

    Two halves, 20 sigmoid layers on the digits, 5 seeds. Batch norm before each activation brings
    the gradient from below -0.25 to above -0.25 bits a layer; and after 300 steps of SGD at 0.05
    the loss of every seed with it is below that of every seed without. ReLU is measured beside it.
    """
    draws = {"sigmoid": xavier, "relu": HE}
    norms: dict[str, Callable[[int], nn.Module] | None] = {"plain": None, "bn": nn.BatchNorm1d}
    found = {(n, k): bits(n, d, norm=norm) for n, d in draws.items() for k, norm in norms.items()}
    runs = {
        (n, k): [learnt(Stack(20, n, d, seed=s, norm=norm), s).losses for s in range(SEEDS)]
        for n, d in draws.items()
        for k, norm in norms.items()
    }
    ends = {key: Spread.of(sum(r[-50:]) / 50 for r in losses) for key, losses in runs.items()}
    plain, normed = ("sigmoid", "plain"), ("sigmoid", "bn")
    relu, burst = found["relu", "plain"], found["relu", "bn"]
    measured = Words(
        f"Sigmoid: {found[plain]} bits per layer without and {found[normed]} with batch norm; loss "
        f"after 300 steps {ends[plain]} and {ends[normed]}. ReLU: {relu} without and {burst} with "
        f"it: there it makes the gradient grow (theory: +{WIDE_BN_RELU:.3f}).",
        f"sigmoid：无批归一化时梯度每层变化 {found[plain]} 比特，加入后为 {found[normed]}；"
        f"训练 300 步后的损失分别为 {ends[plain]} 和 {ends[normed]}。ReLU：无批归一化时为 {relu}，"
        f"加入后为 {burst}，反而使梯度增长（理论值 +{WIDE_BN_RELU:.3f}）。",
    )
    figures = {f"bits.{n}.{k}": s for (n, k), s in found.items()}
    figures |= {f"loss.{n}.{k}": s for (n, k), s in ends.items()}
    revived = found[plain].high < FADES < found[normed].low
    verdict = halves(revived, ends[normed].high < ends[plain].low)
    return Outcome(verdict, measured, figures, _normed(found, runs), SEEDS)


def _normed(
    found: dict[tuple[str, str], Spread], runs: dict[tuple[str, str], list[tuple[float, ...]]]
) -> tuple[Bars, Plot]:
    said = {"plain": Words("plain", "无批归一化"), "bn": Words("batch norm", "有批归一化")}
    labels = {(n, k): Words(f"{n}, {said[k].en}", f"{n}，{said[k].zh}") for n, k in found}
    bars = Bars(
        Words("What batch norm does to the gradient in 20 layers", "批归一化对 20 层梯度的影响"),
        tuple(labels.values()),
        tuple(s.middle for s in found.values()),
        BITS,
        tuple(s.low for s in found.values()),
        tuple(s.high for s in found.values()),
    )
    steps = range(0, 300, 5)
    curves = Plot(
        Words("Twenty layers on the digits", "20 层网络在手写数字上的训练"),
        STEP,
        LOSS,
        tuple(band(labels[key], steps, [r[::5] for r in losses]) for key, losses in runs.items()),
    )
    return bars, curves
