"""Equal first weights, and first biases of 0: which of them keeps units alike."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.optim import SGD

from gradoctor.experiments._data import digits
from gradoctor.experiments._judging import LOSS, STEP, band, halves
from gradoctor.experiments._networks import HE, Draw, Stack, constant, rms, scaled, spread
from gradoctor.experiments._training import accuracy, train
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Plot
from gradoctor.lab import Outcome, Spread

SEEDS, STEPS = 5, 300


@dataclass(frozen=True)
class Learnt:
    """What came of a training: the losses, the accuracy, how different the first units are."""

    losses: tuple[float, ...]
    accuracy: float
    spread: float


def row_spread(weight: torch.Tensor) -> float:
    """How far units differ from their mean, relative to the matrix (0 for a matrix of zeros)."""
    size = rms(weight)
    return rms(weight - weight.mean(0)) / size if size else 0.0


def learnt(net: Stack, seed: int) -> Learnt:
    """Train on the digits by SGD."""
    data = digits()
    run = train(net, data, SGD(net.parameters(), 0.1), steps=STEPS, seed=seed)
    right = accuracy(net, data.test_x, data.test_y)
    return Learnt(run.losses, right, row_spread(net.linears()[0].weight))


ZERO, TENTH, RANDOM, HEAD = "0", "0.1", "random", "head 0"
STARTS: dict[str, tuple[Words, Draw, Draw | None]] = {
    ZERO: (Words("all weights 0", "权重全为 0"), constant(0.0), None),
    TENTH: (Words("all weights 0.1", "权重全为 0.1"), constant(0.1), None),
    RANDOM: (Words("random weights", "随机权重"), scaled(1.0), None),
    HEAD: (Words("random, head 0", "随机，输出层为 0"), scaled(1.0), constant(0.0)),
}


def symmetric_units() -> Outcome:
    """Claim 52.

    Two hidden tanh layers on the digits, 300 steps of SGD at 0.1, 5 seeds. True when the units of
    the first layer stay alike (relative spread below 1e-4) with weights that are all 0 or all 0.1,
    and with random weights they differ (above 0.1) and every accuracy is above every one without.
    """
    runs = {
        name: [
            learnt(Stack(2, "tanh", draw, seed=seed, head=head), seed) for seed in range(SEEDS)
        ]
        for name, (_, draw, head) in STARTS.items()
    }  # fmt: skip
    apart = {name: Spread.of(run.spread for run in found) for name, found in runs.items()}
    right = {name: Spread.of(run.accuracy for run in found) for name, found in runs.items()}
    alike = max(apart[ZERO].high, apart[TENTH].high) < 1e-4
    broken = apart[RANDOM].low > 0.1
    better = right[RANDOM].low > max(right[ZERO].high, right[TENTH].high)
    measured = Words(
        f"After training the first layer's units differ by {apart[ZERO]} of their size when all "
        f"weights began at 0, by {apart[TENTH]} from 0.1, by {apart[RANDOM]} from random ones; "
        f"accuracy {right[ZERO]}, {right[TENTH]}, {right[RANDOM]}. Random weights with only the "
        f"head at 0 reach {right[HEAD]}.",
        f"训练后首层各神经元的相对差异：权重全从 0 开始时为 {apart[ZERO]}，全从 0.1 开始时为 "
        f"{apart[TENTH]}，随机初始化时为 {apart[RANDOM]}；准确率依次为 {right[ZERO]}、"
        f"{right[TENTH]}、"
        f"{right[RANDOM]}。其余随机、仅输出层从 0 开始时为 {right[HEAD]}。",
    )
    steps = range(0, STEPS, 5)
    losses = Plot(
        Words("Learning from equal and from random weights", "从相同权重与随机权重开始的训练"),
        STEP,
        LOSS,
        tuple(
            band(STARTS[name][0], steps, [run.losses[::5] for run in found])
            for name, found in runs.items()
        ),
    )
    bars = Bars(
        Words("How far the first layer's units differ after training", "训练后首层各神经元的差异"),
        tuple(label for label, _, _ in STARTS.values()),
        tuple(s.middle for s in apart.values()),
        Words("relative to their size", "相对于自身大小"),
    )
    figures = {f"spread.{name}": s for name, s in apart.items()}
    figures |= {f"accuracy.{name}": s for name, s in right.items()}
    verdict = halves(alike and broken and better)
    return Outcome(verdict, measured, figures, (losses, bars), SEEDS)


BIASES: dict[str, tuple[Words, Draw | None]] = {
    "0": (Words("biases 0", "偏置为 0"), None),
    "0.1": (Words("biases N(0, 0.1²)", "偏置 N(0, 0.1²)"), spread(0.1)),
    "1": (Words("biases N(0, 1)", "偏置 N(0, 1)"), spread(1.0)),
}


def zero_biases() -> Outcome:
    """Claim 53.

    Three hidden ReLU layers on the digits, 300 steps of SGD at 0.1, 10 seeds. True when with biases
    of 0 the median accuracy is at most 1 % below that with random biases of either size, and the
    first layer's units differ (relative spread above 0.1) in every seed.
    """
    seeds = range(10)
    runs = {
        name: [learnt(Stack(3, "relu", HE, seed=seed, biases=draw), seed) for seed in seeds]
        for name, (_, draw) in BIASES.items()
    }
    right = {name: Spread.of(run.accuracy for run in found) for name, found in runs.items()}
    ends = {name: Spread.of(sum(r.losses[-50:]) / 50 for r in v) for name, v in runs.items()}
    apart = Spread.of(run.spread for run in runs["0"])
    holds = right["0"].middle >= max(s.middle for s in right.values()) - 0.01 and apart.low > 0.1
    measured = Words(
        f"Accuracy: {right['0']} with biases of 0, {right['0.1']} with N(0, 0.1²), {right['1']} "
        f"with N(0, 1). Units of the first layer differ by {apart} of their size.",
        f"准确率：偏置为 0 时 {right['0']}，N(0, 0.1²) 时 {right['0.1']}，N(0, 1) 时 {right['1']}。"
        f"首层各神经元的相对差异为 {apart}。",
    )
    bars = Bars(
        Words("Accuracy by the first biases", "不同偏置初值下的准确率"),
        tuple(label for label, _ in BIASES.values()),
        tuple(s.middle for s in right.values()),
        Words("accuracy", "准确率"),
        tuple(s.low for s in right.values()),
        tuple(s.high for s in right.values()),
    )
    steps = range(0, STEPS, 5)
    curves = tuple(
        band(BIASES[name][0], steps, [run.losses[::5] for run in found])
        for name, found in runs.items()
    )
    losses = Plot(
        Words("Loss by the first biases", "不同偏置初值下的损失"), STEP, LOSS, curves, log_y=True
    )
    figures = {f"accuracy.{name}": s for name, s in right.items()}
    figures |= {f"loss.{name}": s for name, s in ends.items()}
    figures["spread"] = apart
    return Outcome(halves(holds), measured, figures, (losses, bars), len(seeds))
