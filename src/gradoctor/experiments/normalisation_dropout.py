"""What dropout costs: steps, a noisier loss, and another variance in front of a batch norm."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn
from torch.optim import SGD

from gradoctor.experiments._data import digits
from gradoctor.experiments._judging import STEP, band, halves, once
from gradoctor.experiments._networks import HE, Stack
from gradoctor.experiments._training import Trained, mean_loss, seeded, train
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Plot
from gradoctor.lab import Outcome, Spread

SEEDS = 5
SHARES = (0.0, 0.2, 0.5)
LEVEL, STEPS, EVERY = 0.2, 350, 2


def dropped(p: float, seed: int) -> Stack:
    """Two ReLU layers on the digits, each followed by dropout."""
    return Stack(2, lambda: nn.Sequential(nn.ReLU(), nn.Dropout(p)), HE, seed=seed)


def learnt(p: float, seed: int) -> Trained:
    """A training by SGD; the loss of all training digits, without dropout, is watched."""
    net, data = dropped(p, seed), digits()
    return train(
        net, data, SGD(net.parameters(), 0.1), steps=STEPS, seed=seed, every=EVERY,
        watch=lambda: mean_loss(net, data.x, data.y),
    )  # fmt: skip


def steps_to(run: Trained) -> float:
    """Steps until the watched loss is at ``LEVEL``; infinite when it never is."""
    below = [n for n, loss in enumerate(run.watched) if loss <= LEVEL]
    return EVERY * below[0] if below else math.inf


def unrest(run: Trained) -> float:
    """The noise of the last 100 steps' batch losses: their second differences, as a deviation."""
    return float(np.sqrt(np.mean(np.diff(run.losses[-100:], 2) ** 2) / 6))


def shift(p: float, seed: int) -> float:
    """The variance in evaluation over that in training, of what a batch norm after dropout gets.

    What ReLU makes of normal pre-activations, 200,000 of them.
    """
    with seeded(seed):
        x = torch.randn(200_000).relu()
        drop = nn.Dropout(p)
        trained = drop.train()(x).var()
        return float(drop.eval()(x).var() / trained)


def told_shift(p: float) -> float:
    """The same by theory: var = E[x²]/(1 - p) - E[x]², with 1/2 and 1/√(2π) for ReLU."""
    square, mean = 0.5, 1 / math.sqrt(2 * math.pi)
    return (square - mean**2) / (square / (1 - p) - mean**2)


def running_error(p: float, seed: int) -> float:
    """How far batch norm's output is from variance 1 in evaluation, after dropout of a share."""
    with seeded(seed):
        layer = nn.Sequential(nn.Dropout(p), nn.BatchNorm1d(16, momentum=None))
        for _ in range(200):
            layer(torch.randn(64, 16).relu())
        return float(layer.eval()(torch.randn(20_000, 16).relu()).detach().var(0).mean())


def price_of_dropout() -> Outcome:
    """Claim 40.

    Three parts, 5 seeds, p = 0.5 against none. Slower: the training loss (measured without
    dropout) takes at least 1.5 times the steps to 0.2, in the median. Noisier: over the last 100
    steps the batch losses' noise is greater in every seed. Another variance: in evaluation a batch
    norm behind dropout gets less than 0.8 times the variance it got in training (normal inputs
    through ReLU), and its own output has a variance below 0.8.
    """
    seeds = range(SEEDS)
    runs = {p: [learnt(p, seed) for seed in seeds] for p in SHARES}
    steps = {p: Spread.of(map(steps_to, found)) for p, found in runs.items()}
    noise = {p: Spread.of(map(unrest, found)) for p, found in runs.items()}
    shifts = {p: Spread.of(shift(p, seed) for seed in seeds) for p in (0.2, 0.5, 0.8)}
    normed = {p: Spread.of(running_error(p, seed) for seed in seeds) for p in SHARES}
    measured = Words(
        f"Steps to a training loss of {LEVEL}: {steps[0.0]} without dropout, {steps[0.2]} with "
        f"p = 0.2, {steps[0.5]} with 0.5. Noise of the batch loss: {noise[0.0]}, {noise[0.2]} and "
        f"{noise[0.5]}. Behind p = 0.5 a batch norm gets in evaluation {shifts[0.5]} of the "
        f"variance it got in training (theory {told_shift(0.5):.3f}), and gives {normed[0.5]} "
        f"for 1.",
        f"训练损失降到 {LEVEL} 所需步数：无 dropout 时 {steps[0.0]}，p = 0.2 时 {steps[0.2]}，p "
        f"= 0.5 时 {steps[0.5]}。"
        f"批损失的波动依次为 {noise[0.0]}、{noise[0.2]}、{noise[0.5]}。在 p = 0.5 的 dropout 之后，"
        f"批归一化在评估时收到的方差是训练时的 {shifts[0.5]}（理论值 {told_shift(0.5):.3f}），"
        f"其输出方差为 {normed[0.5]}，而不是 1。",
    )
    figures = {f"steps.{p:g}": spread for p, spread in steps.items()}
    figures |= {f"noise.{p:g}": spread for p, spread in noise.items()}
    figures |= {f"shift.{p:g}": spread for p, spread in shifts.items()}
    figures |= {f"shift.theory.{p:g}": once(told_shift(p)) for p in shifts}
    figures |= {f"normed.{p:g}": spread for p, spread in normed.items()}
    verdict = halves(
        steps[0.5].middle >= 1.5 * steps[0.0].middle,
        noise[0.5].low > noise[0.0].high,
        shifts[0.5].high < 0.8 and normed[0.5].high < 0.8,
    )
    return Outcome(verdict, measured, figures, _pictured(runs, normed), SEEDS)


def _pictured(runs: dict[float, list[Trained]], normed: dict[float, Spread]) -> tuple[Plot, Bars]:
    places = range(0, STEPS + 1, EVERY)
    return (
        Plot(
            Words("Training loss, measured without dropout", "训练损失（测量时关闭 dropout）"),
            STEP,
            Words("loss", "损失"),
            tuple(
                band(f"p = {p:g}", places, [r.watched for r in found]) for p, found in runs.items()
            ),
            log_y=True,
        ),
        Bars(
            Words(
                "Variance that a batch norm behind dropout gives in evaluation",
                "dropout 之后的批归一化在评估时的输出方差",
            ),
            tuple(Words.same(f"p = {p:g}") for p in normed),
            tuple(spread.middle for spread in normed.values()),
        ),
    )
