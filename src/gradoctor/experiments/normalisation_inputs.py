"""Inputs scaled or as they come, and responses divided by those of neighbouring channels."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradoctor.experiments._data import Split, breast_cancer, digits, raw_breast_cancer
from gradoctor.experiments._judging import LOSS, halves, line, once, over
from gradoctor.experiments._networks import HE, Stack, generator, xavier
from gradoctor.experiments._training import accuracy, seeded, train
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Plot
from gradoctor.lab import Outcome, Spread

SEEDS = 5

# ---- claim 30 ------------------------------------------------------------------------------------
RATES = (1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
DRAWS = {"tanh": xavier, "relu": HE}


def raw_digits() -> Split:
    """The digits as a camera might give them: 100 times larger, and around 128."""
    data = digits()
    return Split(100 * data.x + 128, data.y, 100 * data.test_x + 128, data.test_y)


def saturated(data: Split, seed: int) -> float:
    """The share of the first tanh layer's outputs beyond ±0.99, before training."""
    net = Stack(2, "tanh", xavier, seed=seed)
    return float((net.states(data.x)[1].abs() > 0.99).double().mean())


def swallowed(data: Split, seed: int) -> float:
    """The share of the first layer's gradient at the 20 measures whose raw scale is smallest."""
    small = raw_breast_cancer().x.std(0).argsort()[:20]
    net = Stack(2, "tanh", xavier, inputs=data.inputs, outputs=2, seed=seed).double()
    loss = nn.functional.cross_entropy(net(data.x.double()), data.y)
    (found,) = torch.autograd.grad(loss, [net.linears()[0].weight])
    return float(found[:, small].square().sum() / found.square().sum())


def reached(data: Split, activation: str, rate: float, seed: int) -> float:
    """The mean loss of the last 20 of 150 steps of SGD; infinite when it failed."""
    net = Stack(2, activation, DRAWS[activation], seed=seed)
    run = train(net, data, SGD(net.parameters(), rate), steps=150, seed=seed)
    return math.inf if run.failed else sum(run.losses[-20:]) / 20


def scaled_inputs() -> Outcome:
    """Claim 30.

    Three parts, 5 seeds. Saturation: before training over half of the first tanh layer's outputs
    are beyond ±0.99 for raw digits (×100 + 128), under a tenth for scaled ones. Small values are
    swallowed: of the first layer's gradient on the breast-cancer data the 20 measures of smallest
    scale get under 1 % raw, over 10 % scaled. Faster: after 150 steps, each at its best of six
    rates, the loss for scaled digits is below that for raw ones in every seed, tanh and ReLU.
    """
    seeds, inputs = range(SEEDS), {"raw": raw_digits(), "scaled": digits()}
    flat = {k: over(seeds, lambda s, d=d: saturated(d, s)) for k, d in inputs.items()}  # type: ignore[misc]
    tumours = {"raw": raw_breast_cancer(), "scaled": breast_cancer()}
    small = {k: over(seeds, lambda s, d=d: swallowed(d, s)) for k, d in tumours.items()}  # type: ignore[misc]
    ends = {
        (name, k): {rate: [reached(data, name, rate, seed) for seed in seeds] for rate in RATES}
        for name in DRAWS
        for k, data in inputs.items()
    }
    best = {key: Spread.of(min(runs.values(), key=median)) for key, runs in ends.items()}
    faster = all(best[name, "scaled"].high < best[name, "raw"].low for name in DRAWS)
    measured = Words(
        f"Raw digits saturate {flat['raw']} of the first tanh layer, scaled ones {flat['scaled']}. "
        f"The 20 smallest of 30 measures get {small['raw'].middle:.0e} of the gradient raw, "
        f"{small['scaled']} scaled. Loss after 150 steps at the best rate: tanh "
        f"{best['tanh', 'raw']} raw, {best['tanh', 'scaled']} scaled; ReLU {best['relu', 'raw']} "
        f"and {best['relu', 'scaled']}.",
        f"第一层 tanh 的饱和比例：原始输入 {flat['raw']}，归一化后 {flat['scaled']}。30 个特征中"
        f"尺度最小的 20 个，"
        f"原始数据时只得到梯度平方和的 {small['raw'].middle:.0e}，归一化后为 {small['scaled']}。"
        f"取最佳学习率训练 150 步后的损失：tanh 原始 {best['tanh', 'raw']}、归一化 "
        f"{best['tanh', 'scaled']}；"
        f"ReLU 分别为 {best['relu', 'raw']} 和 {best['relu', 'scaled']}。",
    )
    figures = {f"saturated.{k}": s for k, s in flat.items()}
    figures |= {f"share.{k}": s for k, s in small.items()}
    figures |= {f"loss.{name}.{k}": s for (name, k), s in best.items()}
    verdict = halves(
        flat["raw"].low > 0.5 and flat["scaled"].high < 0.1,
        small["raw"].high < 0.01 and small["scaled"].low > 0.1,
        faster,
    )
    return Outcome(verdict, measured, figures, (_by_rate(ends),), SEEDS)


def _by_rate(ends: dict[tuple[str, str], dict[float, list[float]]]) -> Plot:
    said = {"raw": Words("raw", "原始输入"), "scaled": Words("scaled", "归一化")}
    middles = {key: [median(found) for found in runs.values()] for key, runs in ends.items()}
    return Plot(
        Words("Loss after 150 steps; a gap is a failure", "150 步后的损失（缺口表示训练失败）"),
        Words("learning rate", "学习率"),
        LOSS,
        tuple(
            line(
                Words(f"{name}, {said[k].en}", f"{name}，{said[k].zh}"),
                RATES,
                (m if math.isfinite(m) else math.nan for m in found),
            )
            for (name, k), found in middles.items()
        ),
        log_x=True,
        log_y=True,
    )


# ---- claim 32 ------------------------------------------------------------------------------------
NORMS: dict[str, Callable[[int], nn.Module]] = {
    "plain": lambda c: nn.Identity(),
    "LRN": lambda c: nn.LocalResponseNorm(5, 5e-4, 0.75, 2.0),  # AlexNet's α = 1e-4, times size
    "batch norm": nn.BatchNorm2d,
}
LABELS = {
    "plain": Words("none", "无"),
    "LRN": Words.same("LRN"),
    "batch norm": Words("batch norm", "批归一化"),
}


def small_cnn(norm: str, seed: int) -> nn.Sequential:
    """Two convolutions on 8×8 digits, each followed by ReLU, a normalisation, and pooling."""
    make = NORMS[norm]
    with seeded(seed):
        return nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), make(16), nn.MaxPool2d(2),
            nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), make(32), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(128, 10),
        )  # fmt: skip


def cnn_accuracy(norm: str, seed: int) -> float:
    """On unseen digits, after 150 steps on 300."""
    data, net = digits(), small_cnn(norm, seed)
    few = Split(data.x[:300], data.y[:300], data.test_x, data.test_y)
    train(net, few, SGD(net.parameters(), 0.05, momentum=0.9), steps=150, size=32, seed=seed)
    return accuracy(net, data.test_x, data.test_y)


def neighbours(size: int) -> tuple[int, int]:
    """How many channels, and how many places of its own channel, one response depends on."""
    x = torch.ones(1, 16, 5, dtype=torch.float64, requires_grad=True)
    out = nn.functional.local_response_norm(x, size, alpha=1.0)
    (found,) = torch.autograd.grad(out[0, 8, 2], x)
    return int(found[0, :, 2].count_nonzero()), int(found[0, 8].count_nonzero())


def response(x: Tensor, size: int, alpha: float, beta: float, k: float) -> Tensor:
    """The paper's formula with PyTorch's window, α as it is."""
    squares = nn.functional.pad(x**2, (0, 0, size // 2, (size - 1) // 2))
    return x / (k + alpha * squares.unfold(1, size, 1).sum(-1)) ** beta


def local_responses() -> Outcome:
    """Claim 32.

    Three parts. The squares are summed over neighbouring channels only: a response depends on
    other channels at its own place, on no other place, and PyTorch agrees to 1e-12 with the
    formula (with α/size for α). The window has n + 1 channels, for n from 1 to 6. It generalises
    better: with LRN a small CNN on 300 digits has a higher test accuracy than without in at least
    6 of 7 seeds.
    """
    windows = {size: neighbours(size) for size in range(1, 7)}
    x = torch.randn(2, 16, 5, generator=generator(0), dtype=torch.float64)
    error, undivided = (
        float(
            (nn.functional.local_response_norm(x, 5, 1.0) - response(x, 5, a, 0.75, 1.0))
            .abs()
            .max()
        )
        for a in (1 / 5, 1.0)
    )
    seeds = range(7)
    found = {norm: [cnn_accuracy(norm, seed) for seed in seeds] for norm in NORMS}
    spread = {norm: Spread.of(runs) for norm, runs in found.items()}
    better = sum(a > b for a, b in zip(found["LRN"], found["plain"], strict=True))
    terms = ", ".join(f"{n}: {channels}" for n, (channels, _) in windows.items())
    measured = Words(
        f"Channels in the window by size: {terms}. PyTorch differs from the formula by "
        f"{error:.0e} with α/size and by {undivided:.2f} with α. Test accuracy of a small CNN: "
        f"{spread['plain']} without, {spread['LRN']} with LRN (better in {better} of 7 seeds), "
        f"{spread['batch norm']} with batch norm.",
        f"各窗口大小包含的通道数：{terms}。与公式的差距：用 α/size 时为 {error:.0e}，直接用 α 时"
        f"为 {undivided:.2f}。"
        f"小型 CNN 的测试准确率：无归一化 {spread['plain']}，LRN {spread['LRN']}（7 个种子中有 "
        f"{better} 个更好），"
        f"批归一化 {spread['batch norm']}。",
    )
    bars = Bars(
        Words("A small CNN trained on 300 digits", "在 300 个手写数字上训练的小型 CNN"),
        tuple(LABELS[norm] for norm in NORMS),
        tuple(100 * (1 - s.middle) for s in spread.values()),
        Words("test errors, %", "测试错误率（%）"),
        tuple(100 * (1 - s.high) for s in spread.values()),
        tuple(100 * (1 - s.low) for s in spread.values()),
    )
    figures = {f"accuracy.{norm}": s for norm, s in spread.items()}
    figures |= {f"window.{n}": once(channels) for n, (channels, _) in windows.items()}
    figures |= {"error": once(error), "error.undivided": once(undivided), "better": once(better)}
    across = all(places == 1 for _, places in windows.values()) and error < 1e-12
    plus_one = all(channels == n + 1 for n, (channels, _) in windows.items())
    return Outcome(halves(across, plus_one, better >= 6), measured, figures, (bars,), 7)
