"""Weight normalisation: what is trained, what it costs, and what it leaves unfixed."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm
from torch.optim import SGD

from gradoctor.experiments._data import digits
from gradoctor.experiments._judging import halves, line, once, over
from gradoctor.experiments._networks import HE, Draw, Stack, generator, usual
from gradoctor.experiments._training import entropy, seeded, train
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Plot
from gradoctor.lab import Outcome, Spread

SEEDS = 5


def weight_normed(net: Stack) -> Stack:
    """The stack with each hidden matrix as g·v/‖v‖; what it computes stays the same."""
    for linear in net.linears()[:-1]:
        weight_norm(linear)
    return net


# ---- claim 38 ------------------------------------------------------------------------------------
def moved(seed: int) -> tuple[float, float, float, int]:
    """What 200 steps of SGD do to g and v of two weight-normed layers.

    Returns:
        the relative changes of g and of v, the angle in degrees that the rows of v turn by, and
        how many of the first layer's trainable tensors make up its weight.
    """
    net, data = weight_normed(Stack(2, "tanh", HE, seed=seed)), digits()
    parts = dict(net.named_parameters())
    (g,) = (p for name, p in parts.items() if "blocks.0" in name and name.endswith("original0"))
    (v,) = (p for name, p in parts.items() if "blocks.0" in name and name.endswith("original1"))
    before = g.detach().clone(), v.detach().clone()
    train(net, data, SGD(net.parameters(), 0.1), steps=200, seed=seed)
    cosine = nn.functional.cosine_similarity(before[1], v.detach(), 1).clamp(-1, 1)
    changes = [
        float((a - b.detach()).norm() / a.norm()) for a, b in zip(before, (g, v), strict=True)
    ]
    trained = sum("blocks.0" in name and "original" in name for name in parts)
    return changes[0], changes[1], float(cosine.arccos().rad2deg().mean()), trained


def fixed_direction() -> Outcome:
    """Claim 38.

    Two halves on ``torch.nn.utils.parametrizations.weight_norm``, 5 seeds: that v is no trainable
    parameter (only one tensor of a layer's weight is trained); and that it stays as it was over 200
    steps of SGD on the digits (a relative change below 1e-6 in every seed).
    """
    found = [moved(seed) for seed in range(SEEDS)]
    g, v, angle, trained = (Spread.of(column) for column in zip(*found, strict=True))
    measured = Words(
        f"{trained} tensors of a layer's weight are trained. In 200 steps g changes by "
        f"{100 * g.middle:.0f} % and v by {100 * v.middle:.0f} % of its norm; the rows of v turn "
        f"by "
        f"{angle} degrees.",
        f"每层权重中有 {trained} 个张量参与训练。200 步后 g 变化了自身范数的 "
        f"{100 * g.middle:.0f}%，"
        f"v 变化了 {100 * v.middle:.0f}%；v 的各行平均转过 {angle} 度。",
    )
    bars = Bars(
        Words("Relative change in 200 steps", "200 步内的相对变化"),
        (Words("g (length)", "g（长度）"), Words("v (direction)", "v（方向）")),
        (g.middle, v.middle),
        low=(g.low, v.low),
        high=(g.high, v.high),
    )
    figures = {"change.g": g, "change.v": v, "angle": angle, "trained": trained}
    return Outcome(halves(trained.high < 2, v.high < 1e-6), measured, figures, (bars,), SEEDS)


# ---- claim 39 ------------------------------------------------------------------------------------
def _layers(kind: str, make: Callable[[], nn.Module], norm: Callable[[], nn.Module]) -> nn.Module:
    """Three layers, each with a normalisation of the kind, and ReLU."""
    parts: list[nn.Module] = []
    with seeded(0):
        for _ in range(3):
            parts.append(weight_norm(make()) if kind == "wn" else make())
            parts += [norm(), nn.ReLU()] if kind == "bn" else [nn.ReLU()]
    return nn.Sequential(*parts)


SHAPES: dict[str, tuple[Callable[[str], nn.Module], tuple[int, ...]]] = {
    "conv": (
        lambda kind: _layers(
            kind, lambda: nn.Conv2d(16, 16, 3, padding=1), lambda: nn.BatchNorm2d(16)
        ),
        (32, 16, 16, 16),
    ),
    "wide": (
        lambda kind: _layers(kind, lambda: nn.Linear(768, 768), lambda: nn.BatchNorm1d(768)),
        (4, 768),
    ),
}
SHAPES_SAID = {
    "conv": Words("3×3 convolutions, 32 images of 16×16", "3×3 卷积，32 张 16×16 图像"),
    "wide": Words("768 × 768 matrices, 4 examples", "768 × 768 矩阵，4 个样本"),
}


def _seconds(net: nn.Module, x: Tensor, steps: int = 4) -> float:
    """Processor time of some forward and backward passes."""
    start = time.process_time()
    for _ in range(steps):
        net.zero_grad()
        net(x).square().mean().backward()
    return time.process_time() - start


def cost(shape: str, repeats: int = 21) -> Spread:
    """Time with weight norm over time with batch norm, in pairs one after the other."""
    make, size = SHAPES[shape]
    nets, x = {kind: make(kind) for kind in ("wn", "bn")}, torch.randn(size, generator=generator(0))
    for net in nets.values():
        _seconds(net, x)
    ratios = [_seconds(nets["wn"], x) / _seconds(nets["bn"], x) for _ in range(repeats)]
    return Spread.of(ratios)


def stored(kind: str) -> int:
    """Numbers in the buffers of three layers of 64 units: statistics that are kept."""
    net = _layers(kind, lambda: nn.Linear(64, 64), lambda: nn.BatchNorm1d(64))
    return sum(buffer.numel() for buffer in net.buffers())


SCALES = (0.1, 1.0, 10.0)


def widths(kind: str, scale: float, seed: int) -> float:
    """The standard deviation of what the first activation receives, for inputs of a scale."""
    net = _stack(kind, HE, 1, seed)
    block = net.blocks[0]
    out = block.norm(block.linear(scale * digits().x))  # type: ignore[operator]
    return float(out.detach().std(0).mean())


def _stack(kind: str, draw: Draw, depth: int, seed: int) -> Stack:
    net = Stack(depth, "relu", draw, seed=seed, norm=nn.BatchNorm1d if kind == "bn" else None)
    return weight_normed(net) if kind == "wn" else net


def end(kind: str, draw: Draw, seed: int) -> float:
    """The mean loss of the last 20 of 200 steps of SGD in 15 ReLU layers; infinite if it failed."""
    net = _stack(kind, draw, 15, seed)
    run = train(net, digits(), SGD(net.parameters(), 0.03), steps=200, seed=seed)
    return math.inf if run.failed else sum(run.losses[-20:]) / 20


STARTS = {"wn.own": ("wn", usual), "wn.he": ("wn", HE), "bn.own": ("bn", usual)}


def cheap_but_loose() -> Outcome:
    """Claim 39.

    Five parts. Cheaper: three weight-normed layers take less processor time forward and backward
    than three with batch norm (median of 21 pairs), (1) convolutions of many images, (2) wide
    matrices with 4 examples. (3) No statistics to store: they have no buffers, batch norm has. (4)
    The output's range is not fixed: inputs 100 times larger make it over 50 times wider, and with
    batch norm less than 1.1 times, in 5 seeds. (5) It needs a careful start: 15 ReLU layers from
    the weights of ``nn.Linear`` do not learn in any seed; with He's scale, or with batch norm from
    the same weights, they halve the entropy of the labels in every seed.
    """
    seeds, level = range(SEEDS), entropy(digits().y) / 2
    ratios = {shape: cost(shape) for shape in SHAPES}
    held = {kind: stored(kind) for kind in ("wn", "bn")}
    wide = {
        kind: {scale: over(seeds, partial(widths, kind, scale)) for scale in SCALES}
        for kind in ("wn", "bn")
    }
    ends = {name: over(seeds, partial(end, *start)) for name, start in STARTS.items()}
    grown = {kind: wide[kind][10.0].middle / wide[kind][0.1].middle for kind in wide}
    measured = Words(
        f"Time with weight norm over time with batch norm: {ratios['conv']} for convolutions of 32 "
        f"images, {ratios['wide']} for wide matrices and 4 examples. Three layers keep "
        f"{held['wn']} numbers of statistics, with batch norm {held['bn']}. Inputs 100 times "
        f"larger "
        f"make the output {grown['wn']:.0f} times wider, with batch norm {grown['bn']:.2f} times. "
        f"Loss of 15 layers after 200 steps: {ends['wn.own']} from PyTorch's weights, "
        f"{ends['wn.he']} from He's; batch norm from PyTorch's {ends['bn.own']}.",
        f"权重归一化与批归一化的耗时之比：32 张图像的卷积 {ratios['conv']}，宽矩阵、4 个样本时 "
        f"{ratios['wide']}。"
        f"三层所保存的统计量个数：权重归一化 {held['wn']}，批归一化 {held['bn']}。输入放大 100 倍"
        f"时，"
        f"输出的标准差变为 {grown['wn']:.0f} 倍，批归一化时为 {grown['bn']:.2f} 倍。15 层网络训练"
        f" 200 步后的损失："
        f"从 PyTorch 默认权重开始为 {ends['wn.own']}，从 He 初始化开始为 {ends['wn.he']}；"
        f"批归一化从默认权重开始为 {ends['bn.own']}。",
    )
    figures = {f"cost.{shape}": ratio for shape, ratio in ratios.items()}
    figures |= {f"buffers.{kind}": once(count) for kind, count in held.items()}
    figures |= {f"width.{k}.{a:g}": s for k, row in wide.items() for a, s in row.items()}
    figures |= {f"loss.{name}": spread for name, spread in ends.items()}
    verdict = halves(
        *(ratio.middle < 1 for ratio in ratios.values()),
        held["wn"] == 0 < held["bn"],
        grown["wn"] > 50 and grown["bn"] < 1.1,
        ends["wn.own"].low > level > max(ends["wn.he"].high, ends["bn.own"].high),
    )
    return Outcome(verdict, measured, figures, (_by_scale(wide), _costs(ratios)), SEEDS)


def _by_scale(wide: dict[str, dict[float, Spread]]) -> Plot:
    labels = {"wn": Words("weight norm", "权重归一化"), "bn": Words("batch norm", "批归一化")}
    return Plot(
        Words("What the activation receives", "激活函数收到的输入"),
        Words("scale of the inputs", "输入的尺度"),
        Words("standard deviation", "标准差"),
        tuple(line(labels[k], row, (s.middle for s in row.values())) for k, row in wide.items()),
        log_x=True,
        log_y=True,
    )


def _costs(ratios: dict[str, Spread]) -> Bars:
    return Bars(
        Words("Time with weight norm over time with batch norm", "权重归一化与批归一化的耗时之比"),
        tuple(SHAPES_SAID[shape] for shape in ratios),
        tuple(ratio.middle for ratio in ratios.values()),
    )
