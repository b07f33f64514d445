"""What it costs that a sigmoid's outputs are all positive."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradoctor.experiments._data import digits
from gradoctor.experiments._judging import STEP, halves, over
from gradoctor.experiments._networks import Stack, xavier
from gradoctor.experiments._training import train
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars
from gradoctor.lab import Outcome, Spread


class Centred(nn.Module):
    """The sigmoid less a half: the same slopes, outputs around 0."""

    def forward(self, x: Tensor) -> Tensor:
        """The activation."""
        return torch.sigmoid(x) - 0.5


SHAPES: dict[str, Callable[[], nn.Module]] = {"sigmoid": nn.Sigmoid, "sigmoid - 1/2": Centred}
SEEDS, DEPTHS, RATES, LEVEL, MOST = 5, (1, 2, 3), (1.0, 2.0, 4.0), 0.3, 300


def agreement(kind: str, examples: int, seed: int) -> float:
    """How far the gradients of one unit's incoming weights share a sign: 1, all; near 0, by chance.

    It is taken in the second hidden layer, whose inputs are outputs of the first.
    """
    net, data = Stack(2, SHAPES[kind], xavier, seed=seed), digits()
    loss = nn.functional.cross_entropy(net(data.x[:examples]), data.y[:examples])
    (grad,) = torch.autograd.grad(loss, [net.linears()[1].weight])
    return float(grad.sign().sum(1).abs().mean() / grad.shape[1])


def steps_to_learn(kind: str, depth: int, rate: float, seed: int) -> int:
    """Steps of SGD to a loss of 0.3 on the digits; twice the length of the run when it never is."""
    net = Stack(depth, SHAPES[kind], xavier, seed=seed)
    run = train(net, digits(), SGD(net.parameters(), rate), steps=MOST, seed=seed)
    return run.steps_to(LEVEL) or 2 * MOST


def not_centred() -> Outcome:
    """Claim 55.

    Two halves. The mechanism: for one example all incoming weights of a unit behind sigmoids have
    gradients of one sign (agreement 1), and less than half as much behind centred ones. The cost:
    with 1, 2 and 3 hidden layers the sigmoid takes over 1.2 times as many steps to a loss of 0.3 as
    the sigmoid less a half, which is the same but centred; medians of 5 seeds, each at its best of
    three rates.
    """
    seeds = range(SEEDS)
    agree = {(k, n): over(seeds, partial(agreement, k, n)) for k in SHAPES for n in (1, 64)}
    found: dict[tuple[str, int], list[int]] = {}
    for kind in SHAPES:
        for depth in DEPTHS:
            swept = [[steps_to_learn(kind, depth, r, s) for s in seeds] for r in RATES]
            found[kind, depth] = min(swept, key=lambda v: Spread.of(v).middle)
    own, centred = SHAPES
    times = {
        d: Spread.of(a / b for a, b in zip(found[own, d], found[centred, d], strict=True))
        for d in DEPTHS
    }
    measured = Words(
        f"Agreement of signs for one example: {agree[own, 1]} behind sigmoids, "
        f"{agree[centred, 1]} behind centred ones (batch of 64: {agree[own, 64]} and "
        f"{agree[centred, 64]}). Steps to a loss of 0.3, sigmoid over centred: {times[1]} with 1 "
        f"hidden layer, {times[2]} with 2, {times[3]} with 3.",
        f"单个样本下梯度符号的一致程度：sigmoid 之后为 {agree[own, 1]}，零中心化之后为 "
        f"{agree[centred, 1]}（批量 64 时为 {agree[own, 64]} 和 {agree[centred, 64]}）。损失"
        f"降到 0.3 的步数之比（sigmoid 比零中心化）：1 个隐藏层为 {times[1]}，2 层为 {times[2]}，"
        f"3 层为 {times[3]}。",
    )
    bars = Bars(
        Words("Steps to a loss of 0.3", "损失降到 0.3 的步数"),
        tuple(Words(f"{k}, {d} hidden", f"{k}，{d} 个隐藏层") for d in DEPTHS for k in SHAPES),
        tuple(Spread.of(found[k, d]).middle for d in DEPTHS for k in SHAPES),
        STEP,
        tuple(float(min(found[k, d])) for d in DEPTHS for k in SHAPES),
        tuple(float(max(found[k, d])) for d in DEPTHS for k in SHAPES),
    )
    figures = {f"times.{d}": s for d, s in times.items()}
    figures |= {f"agreement.{k}.{n}": s for (k, n), s in agree.items()}
    mechanism = agree[own, 1].low == 1 and agree[centred, 1].high < 0.5
    verdict = halves(mechanism, all(t.middle > 1.2 for t in times.values()))
    return Outcome(verdict, measured, figures, (bars,), SEEDS)
