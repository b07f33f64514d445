"""Units of ReLU that have died: how it comes about, whether they return, leaky ReLU instead."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cache, partial

import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer

from gradoctor.experiments._data import digits
from gradoctor.experiments._judging import band, halves, once, over, same
from gradoctor.experiments._networks import HE, Stack, constant
from gradoctor.experiments._training import accuracy, mean_loss, train
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Curve, Grid, Plot
from gradoctor.lab import Outcome, Spread

SEEDS, DEPTH, STEPS = 5, 2, 300
RATE = Words("learning rate", "学习率")
ACCURACY = Words("accuracy on the test set", "测试集准确率")
NEGATIVE = -2.0
"""Biases that leave most units below 0 for every digit."""
LEARNT = 0.9


KINDS: dict[str, Callable[[], nn.Module]] = {
    "relu": nn.ReLU, "leaky 0.01": partial(nn.LeakyReLU, 0.01),
    "leaky 0.1": partial(nn.LeakyReLU, 0.1),
}  # fmt: skip


def silent(net: Stack, x: Tensor) -> list[Tensor]:
    """By hidden layer, the units whose pre-activation is above 0 for none of the inputs."""
    with torch.no_grad():
        return [(state <= 0).all(0) for state in net.states(x)[1:]]


def dead_share(net: Stack) -> float:
    """The share of all units that are silent on the whole training set."""
    return float(torch.cat(silent(net, digits().x)).double().mean())


def stack(activation: str, seed: int, bias: float = 0.0) -> Stack:
    """Two hidden layers of 64 units from He's initialisation, with a given first bias."""
    return Stack(DEPTH, KINDS[activation], HE, seed=seed, biases=constant(bias))


@dataclass(frozen=True)
class End:
    """What a training came to.

    Attributes:
        dead: the share of units that are silent on the training set.
        loss: over the training set; infinite when the training diverged.
        accuracy: on the test set; 0 when it diverged.
    """

    dead: float
    loss: float
    accuracy: float
    diverged: bool


@cache
def end(activation: str, rate: float, seed: int, bias: float = 0.0) -> End:
    """Train on the digits for 300 steps of SGD."""
    net, data = stack(activation, seed, bias), digits()
    run = train(net, data, SGD(net.parameters(), rate), steps=STEPS, seed=seed)
    if run.failed:
        return End(dead_share(net), float("inf"), 0.0, True)
    return End(
        dead_share(net),
        mean_loss(net, data.x, data.y),
        accuracy(net, data.test_x, data.test_y),
        False,
    )


# ---- how they come about ------------------------------------------------------------------------
RATES = (0.02, 0.05, 0.1, 0.2, 0.5, 0.7, 1.0, 1.4)


def large_rates() -> Outcome:
    """Claim 56.

    Two halves, ReLU nets of two hidden layers on the digits, SGD for 300 steps, 5 seeds. A large
    rate kills 40 % or more: the median share of dead units is that high at some rate up to 1.4. And
    small ones seldom do: at rates up to 0.1 it is below 5 % for every seed.
    """
    runs = {r: [end("relu", r, s) for s in range(SEEDS)] for r in RATES}
    start = over(range(SEEDS), lambda s: dead_share(stack("relu", s)))
    dead = {r: Spread.of(e.dead for e in found) for r, found in runs.items()}
    right = {r: Spread.of(e.accuracy for e in found) for r, found in runs.items()}
    measured = Words(
        f"Dead after 300 steps: {dead[0.05]} of all units at a rate of 0.05, {dead[0.5]} at 0.5, "
        f"{dead[1.0]} at 1 and {dead[1.4]} at 1.4 (before training: {start}). Accuracy at 0.5, 1 "
        f"and 1.4: {right[0.5]}, {right[1.0]}, {right[1.4]}.",
        f"训练 300 步后死亡单元的占比：学习率 0.05 时为 {dead[0.05]}，0.5 时为 {dead[0.5]}，"
        f"1 时为 {dead[1.0]}，1.4 时为 {dead[1.4]}（训练前为 {start}）。学习率为 0.5、1、1.4 时的"
        f"准确率：{right[0.5]}、{right[1.0]}、{right[1.4]}。",
    )
    picture = Plot(
        Words("Large steps kill ReLUs", "步子太大会使 ReLU 死亡"),
        RATE,
        Words("share", "占比"),
        (
            _swept(Words("dead units", "死亡单元"), runs, lambda e: e.dead),
            _swept(Words("test accuracy", "测试准确率"), runs, lambda e: e.accuracy),
        ),
        log_x=True,
    )
    figures = {f"dead.{r}": s for r, s in dead.items()} | {"dead.start": start}
    figures |= {f"accuracy.{r}": s for r, s in right.items()}
    many = max(s.middle for s in dead.values()) >= 0.4
    few = all(dead[r].high < 0.05 for r in RATES if r <= 0.1)
    return Outcome(halves(many, few), measured, figures, (picture,), SEEDS)


def _swept(label: Words, runs: dict[float, list[End]], what: Callable[[End], float]) -> Curve:
    found = [[what(e) for e in column] for column in zip(*runs.values(), strict=True)]
    return band(label, runs, found)


# ---- whether they return ------------------------------------------------------------------------
AFTERWARDS: dict[str, Callable[[Iterable[Tensor]], Optimizer]] = {
    "SGD": partial(SGD, lr=0.05),
    "SGD + weight decay": partial(SGD, lr=0.05, weight_decay=0.01),
    "SGD + momentum": partial(SGD, lr=0.05, momentum=0.9),
    "Adam": partial(Adam, lr=1e-3),
}
KILLING, KILLED = 1.2, 40
"""A rate and a number of steps after which about half of all units are dead."""


@dataclass(frozen=True)
class Fate:
    """By hidden layer: units dead before, and those of them that were not at the end."""

    dead: tuple[int, ...]
    returned: tuple[int, ...]
    gradient: float


@cache
def fate(optimizer: str, seed: int) -> Fate:
    """Kill units, look at their gradients, then train on gently for 600 steps."""
    net, data = stack("relu", seed), digits()
    train(net, data, SGD(net.parameters(), KILLING), steps=KILLED, seed=seed)
    before = silent(net, data.x)
    loss = nn.functional.cross_entropy(net(data.x), data.y)
    found = torch.autograd.grad(loss, [m.weight for m in net.linears()[:-1]])
    largest = max(float(g[dead].abs().sum()) for g, dead in zip(found, before, strict=True))
    gentle = AFTERWARDS[optimizer](net.parameters())
    train(net, data, gentle, steps=600, seed=seed + 100)
    after = silent(net, data.x)
    pairs = list(zip(before, after, strict=True))
    return Fate(
        tuple(int(b.sum()) for b, _ in pairs),
        tuple(int((b & ~a).sum()) for b, a in pairs),
        largest,
    )


def dead_for_ever() -> Outcome:
    """Claim 57.

    Three parts, with units that 40 steps at a rate of 1.2 have killed (5 seeds). Every dead unit's
    weights have a gradient of exactly 0. In 600 further steps of SGD at 0.05 none of the first
    layer returns; and none of the second layer, whose inputs go on changing. Momentum, weight decay
    and Adam are measured beside it.
    """
    runs = {name: [fate(name, s) for s in range(SEEDS)] for name in AFTERWARDS}
    dead = [sum(f.dead[layer] for f in runs["SGD"]) for layer in range(DEPTH)]
    back = {
        name: [sum(f.returned[layer] for f in found) for layer in range(DEPTH)]
        for name, found in runs.items()
    }
    gradient = max(f.gradient for f in runs["SGD"])
    others = [(n, back[n][1]) for n in AFTERWARDS if n != "SGD"]
    measured = Words(
        f"The gradients of {sum(dead)} dead units are {gradient:g}. In 600 steps of plain SGD "
        f"{back['SGD'][0]} of {dead[0]} return in the first layer and {back['SGD'][1]} of "
        f"{dead[1]} in the second (" + ", ".join(f"{n}: {v}" for n, v in others) + ").",
        f"{sum(dead)} 个死亡单元的梯度均为 {gradient:g}。继续用普通 SGD 训练 600 步，"
        f"第一层 {dead[0]} 个中有 {back['SGD'][0]} 个复活，第二层 {dead[1]} 个中有 "
        f"{back['SGD'][1]} 个复活（" + "，".join(f"{n} 为 {v} 个" for n, v in others) + "）。",
    )
    grid = Grid(
        Words("Share of dead units that return", "死亡单元的复活比例"),
        same(AFTERWARDS),
        (Words("first layer", "第一层"), Words("second layer", "第二层")),
        tuple(tuple(b / d for b, d in zip(back[n], dead, strict=True)) for n in AFTERWARDS),
    )
    figures = {
        f"returned.{n}.{layer + 1}": Spread.of(f.returned[layer] for f in found)
        for n, found in runs.items()
        for layer in range(DEPTH)
    }
    figures |= {
        f"dead.{layer + 1}": Spread.of(f.dead[layer] for f in runs["SGD"]) for layer in range(DEPTH)
    }
    verdict = halves(gradient == 0, back["SGD"][0] == 0, back["SGD"][1] == 0)
    return Outcome(verdict, measured, figures, (grid,), SEEDS)


# ---- the zero slope, with and without -----------------------------------------------------------
PAIRS = 10
SWEEP = (0.2, 0.5)


def _best(kind: str, bias: float) -> list[float]:
    """Training losses of all seeds at the rate whose median is lowest."""
    swept = ([end(kind, rate, s, bias).loss for s in range(PAIRS)] for rate in SWEEP)
    return min(swept, key=lambda losses: Spread.of(losses).middle)


def zero_slope() -> Outcome:
    """Claim 23.

    Two halves: with biases that start at 0, and with biases that start at -2, so that most inputs
    are negative. A half holds when ReLU's training loss is lower than that of the same net with a
    slope of 0.01 below 0, in at least 8 of 10 seeds and by at least 5 % in the median, each at its
    best of two rates (digits, two hidden layers, 300 steps of SGD). A slope of 0.1 is measured
    beside it.
    """
    best = {(n, b): _best(n, b) for n in KINDS for b in (0.0, NEGATIVE)}
    ratio = {
        (n, b): Spread.of(x / y for x, y in zip(best["relu", b], found, strict=True))
        for (n, b), found in best.items()
    }
    wins = {
        b: sum(x < y for x, y in zip(best["relu", b], best["leaky 0.01", b], strict=True))
        for b in (0.0, NEGATIVE)
    }
    stuck = over(range(PAIRS), lambda s: end("relu", SWEEP[-1], s, NEGATIVE).dead)
    said = {key: Spread.of(values) for key, values in best.items()}
    plain, low = ratio["leaky 0.01", 0.0], ratio["leaky 0.01", NEGATIVE]
    measured = Words(
        f"ReLU's training loss over that with a slope of 0.01: {plain} with biases from 0 (lower "
        f"in {wins[0.0]} of {PAIRS} seeds), {low} with biases from -2 ({wins[NEGATIVE]} of "
        f"{PAIRS}), where {stuck} of its units are dead. Over that with a slope of 0.1: "
        f"{ratio['leaky 0.1', 0.0]} and {ratio['leaky 0.1', NEGATIVE]}.",
        f"ReLU 的训练损失与负半轴斜率为 0.01 时之比：偏置从 0 开始为 {plain}（{PAIRS} 个种子中"
        f"有 {wins[0.0]} 次更低），偏置从 -2 开始为 {low}（{wins[NEGATIVE]} 次），此时它的单元有 "
        f"{stuck} 死亡。与斜率为 0.1 时之比：{ratio['leaky 0.1', 0.0]} 和 "
        f"{ratio['leaky 0.1', NEGATIVE]}。",
    )
    labels = {
        0.0: Words("biases from 0", "偏置从 0 开始"),
        NEGATIVE: Words("from -2", "从 -2 开始"),
    }
    bars = Bars(
        Words("Training loss, each at its best rate", "训练损失（各取最佳学习率）"),
        tuple(Words(f"{n}, {labels[b].en}", f"{n}，{labels[b].zh}") for n, b in said),
        tuple(v.middle for v in said.values()),
        Words("training loss", "训练损失"),
        tuple(v.low for v in said.values()),
        tuple(v.high for v in said.values()),
        log=True,
    )
    figures = {f"loss.{n}.bias_{b:g}": v for (n, b), v in said.items()}
    figures |= {f"ratio.{n}.bias_{b:g}": v for (n, b), v in ratio.items() if n != "relu"}
    figures |= {f"wins.bias_{b:g}": once(w) for b, w in wins.items()} | {"dead": stuck}
    hold = [w >= 8 and ratio["leaky 0.01", b].middle < 0.95 for b, w in wins.items()]
    return Outcome(halves(*hold), measured, figures, (bars,), PAIRS)


# ---- leaky ReLU as the cure ---------------------------------------------------------------------
CAUSES: dict[str, tuple[Words, float, float]] = {
    "bias": (Words("biases from -2, rate 0.2", "偏置从 -2 开始，学习率 0.2"), 0.2, NEGATIVE),
    "rate": (Words("rate 1.2", "学习率 1.2"), 1.2, 0.0),
    "healthy": (Words("rate 0.2", "学习率 0.2"), 0.2, 0.0),
}


def leaky_for_dead() -> Outcome:
    """Claim 25.

    Two halves, one for each way in which most ReLUs die: biases that start at -2, and a rate of
    1.2. A half holds when ReLU's median accuracy is below 90 % and that of leaky ReLU (slope 0.1),
    all else equal, is above it (digits, two hidden layers, 300 steps, 5 seeds).
    """
    runs = {
        (n, c): [end(n, rate, s, bias) for s in range(SEEDS)]
        for c, (_, rate, bias) in CAUSES.items()
        for n in ("relu", "leaky 0.1")
    }
    right = {key: Spread.of(e.accuracy for e in found) for key, found in runs.items()}
    dead = {c: Spread.of(e.dead for e in runs["relu", c]) for c in CAUSES}
    diverged = sum(e.diverged for e in runs["leaky 0.1", "rate"])
    measured = Words(
        f"Biases from -2 ({dead['bias']} of ReLU's units dead): accuracy {right['relu', 'bias']} "
        f"with ReLU, {right['leaky 0.1', 'bias']} with leaky ReLU. Rate 1.2 ({dead['rate']} dead): "
        f"{right['relu', 'rate']} with ReLU, while leaky ReLU diverges in {diverged} of {SEEDS} "
        f"runs. At a rate of 0.2: {right['relu', 'healthy']} and {right['leaky 0.1', 'healthy']}.",
        f"偏置从 -2 开始（ReLU 单元死亡 {dead['bias']}）：准确率 ReLU 为 {right['relu', 'bias']}，"
        f"leaky ReLU 为 {right['leaky 0.1', 'bias']}。学习率 1.2（死亡 {dead['rate']}）：ReLU 为 "
        f"{right['relu', 'rate']}，leaky ReLU 则在 {SEEDS} 次训练中发散 {diverged} 次。"
        f"学习率 0.2：分别为 {right['relu', 'healthy']} 和 {right['leaky 0.1', 'healthy']}。",
    )
    order = [(n, c) for c in CAUSES for n in ("relu", "leaky 0.1")]
    bars = Bars(
        Words(
            "Leaky ReLU where ReLUs die (diverged: 0)", "ReLU 死亡时改用 leaky ReLU（发散记为 0）"
        ),
        tuple(Words(f"{n}: {CAUSES[c][0].en}", f"{n}：{CAUSES[c][0].zh}") for n, c in order),
        tuple(right[key].middle for key in order),
        ACCURACY,
        tuple(right[key].low for key in order),
        tuple(right[key].high for key in order),
    )
    figures = {f"accuracy.{n}.{c}": s for (n, c), s in right.items()}
    figures |= {f"dead.{c}": s for c, s in dead.items()}
    hold = [
        right["relu", c].middle < LEARNT < right["leaky 0.1", c].middle for c in ("bias", "rate")
    ]
    return Outcome(halves(*hold), measured, figures, (bars,), SEEDS)
