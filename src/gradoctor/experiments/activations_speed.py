"""How fast nets learn with each activation, every one at its own best rate and initialisation."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

import torch
from torch import nn
from torch.optim import SGD

from gradoctor.experiments._data import digits
from gradoctor.experiments._judging import STEP, halves, once
from gradoctor.experiments._networks import ACTIVATIONS, Stack, generator, scaled
from gradoctor.experiments._training import accuracy, train
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Curve, Plot
from gradoctor.lab import Outcome, Spread
from gradoctor.nn import gain

ERROR = Words("training error", "训练错误率")
EVERY = {"conv": 5, "layers": 2}
"""Steps between two looks at the training error."""
FASTER = 2.0
"""What "much faster" is taken for: half the steps."""


def convolutional(activation: str, seed: int) -> nn.Module:
    """Two convolutions with pooling and a hidden layer, at the activation's own gain."""
    make = ACTIVATIONS[activation]
    with torch.random.fork_rng(devices=[]):
        net = nn.Sequential(
            nn.Unflatten(1, (1, 8, 8)),
            nn.Conv2d(1, 8, 3, padding=1), make(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), make(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(64, 64), make(), nn.Linear(64, 10),
        )  # fmt: skip
    chance, factor = generator(seed, "weights"), gain(make())
    for module in net.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            nn.init.normal_(module.weight, 0.0, factor / fan_in**0.5, chance)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return net


def layered(activation: str, seed: int) -> nn.Module:
    """Three hidden layers of 64 units, at the activation's own gain."""
    return Stack(3, activation, scaled(gain(ACTIVATIONS[activation]())), seed=seed)


Make = Callable[[str, int], nn.Module]
NETS: dict[str, Make] = {"conv": convolutional, "layers": layered}


@cache
def errors(net: str, activation: str, rate: float, seed: int, steps: int) -> tuple[float, ...]:
    """The error on the whole training set, every few steps of SGD."""
    data, model = digits(), NETS[net](activation, seed)

    def error() -> float:
        return 1 - accuracy(model, data.x, data.y)

    optimizer = SGD(model.parameters(), rate)
    return train(
        model, data, optimizer, steps=steps, seed=seed, watch=error, every=EVERY[net]
    ).watched  # fmt: skip


def reached(course: tuple[float, ...], level: float, every: int) -> int:
    """Steps until the error is at a level; twice the length of the run when it never is."""
    for look, error in enumerate(course):
        if error <= level:
            return look * every
    return 2 * every * len(course)


def fastest(
    net: str, activation: str, rates: tuple[float, ...], seeds: int, level: float, steps: int
) -> tuple[float, list[int]]:
    """The rate whose median number of steps is smallest, and the steps of each seed at it."""
    swept = {
        rate: [
            reached(errors(net, activation, rate, s, steps), level, EVERY[net])
            for s in range(seeds)
        ]
        for rate in rates
    }
    best = min(swept, key=lambda rate: Spread.of(swept[rate]).middle)
    return best, swept[best]


def _times(found: Mapping[str, list[int]], slow: str, fast: str) -> Spread:
    """How many times as many steps one takes as another, seed by seed."""
    return Spread.of(a / b for a, b in zip(found[slow], found[fast], strict=True))


def _bars(title: Words, best: Mapping[str, float], steps: Mapping[str, Spread]) -> Bars:
    return Bars(
        title,
        tuple(Words(f"{n}, rate {r:g}", f"{n}，学习率 {r:g}") for n, r in best.items()),
        tuple(s.middle for s in steps.values()),
        STEP,
        tuple(s.low for s in steps.values()),
        tuple(s.high for s in steps.values()),
    )


def _curves(net: str, best: Mapping[str, float], lengths: Mapping[str, int], seeds: int) -> Plot:
    curves = []
    for name, rate in best.items():
        runs = [errors(net, name, rate, s, lengths[name]) for s in range(seeds)]
        looks = [Spread.of(column) for column in zip(*runs, strict=True)]
        curves.append(
            Curve(
                Words(f"{name}, rate {rate:g}", f"{name}，学习率 {rate:g}"),
                tuple(float(i * EVERY[net]) for i in range(len(looks))),
                tuple(s.middle for s in looks),
                low=tuple(s.low for s in looks),
                high=tuple(s.high for s in looks),
            )
        )
    title = Words("Training error, each at its best rate", "训练错误率（各取最佳学习率）")
    return Plot(title, STEP, ERROR, tuple(curves))


# ---- ReLU, its leaky form, and the rest ---------------------------------------------------------
LAYER_RATES = {"relu": (0.1, 0.2, 0.5), "leaky_relu": (0.1, 0.2, 0.5), "tanh": (0.2, 0.5),
               "sigmoid": (1.0, 2.0)}  # fmt: skip
LAYER_STEPS = {"relu": 120, "leaky_relu": 120, "tanh": 120, "sigmoid": 200}
PAIRS = 10


def leaky_over_relu() -> Outcome:
    """Claim 50.

    Three parts: steps to a training error of 5 % with three hidden layers on the digits, 10 paired
    seeds, each activation at its gain and its best of a few rates. Leaky ReLU (slope 0.1) needs
    fewer than ReLU in at least 8 seeds; the slower of the two needs at most half of sigmoid's in
    the median; and at most half of tanh's.
    """
    best, found = {}, {}
    for name, rates in LAYER_RATES.items():
        best[name], found[name] = fastest("layers", name, rates, PAIRS, 0.05, LAYER_STEPS[name])
    wins = sum(a < b for a, b in zip(found["leaky_relu"], found["relu"], strict=True))
    losses = sum(a > b for a, b in zip(found["leaky_relu"], found["relu"], strict=True))
    ratios = {
        n: min((_times(found, n, m) for m in ("relu", "leaky_relu")), key=lambda s: s.middle)
        for n in ("sigmoid", "tanh")
    }
    steps = {n: Spread.of(values) for n, values in found.items()}
    measured = Words(
        f"Steps to a training error of 5 %: ReLU {steps['relu']}, leaky ReLU "
        f"{steps['leaky_relu']}, tanh {steps['tanh']}, sigmoid {steps['sigmoid']}. Leaky ReLU is "
        f"faster than ReLU in {wins} of {PAIRS} seeds and slower in {losses}; sigmoid takes at "
        f"least {ratios['sigmoid']} times as many steps as the two, tanh {ratios['tanh']} times.",
        f"训练错误率降到 5% 所需步数：ReLU 为 {steps['relu']}，leaky ReLU 为 "
        f"{steps['leaky_relu']}，tanh 为 {steps['tanh']}，sigmoid 为 {steps['sigmoid']}。"
        f"{PAIRS} 个种子中，leaky ReLU 有 {wins} 次快于 ReLU，{losses} 次慢于它；"
        f"与这两者相比，sigmoid 的步数至少为 {ratios['sigmoid']} 倍，tanh 为 {ratios['tanh']} 倍。",
    )
    pictures = (
        _bars(Words("Steps to a training error of 5 %", "训练错误率降到 5% 的步数"), best, steps),
        _curves("layers", best, LAYER_STEPS, PAIRS),
    )
    figures = {f"steps.{n}": s for n, s in steps.items()}
    figures |= {f"ratio.{n}": s for n, s in ratios.items()} | {"wins": once(wins)}
    hold = [wins >= 8, *(r.middle >= FASTER for r in ratios.values())]
    return Outcome(halves(*hold), measured, figures, pictures, PAIRS)


# ---- Krizhevsky's comparison --------------------------------------------------------------------
CONV_RATES = {"relu": (0.02, 0.05, 0.1), "tanh": (0.1, 0.2, 0.5), "sigmoid": (0.5, 1.0, 2.0)}
CONV_STEPS = {"relu": 100, "tanh": 100, "sigmoid": 200}
SEEDS = 5


def relu_against_saturating() -> Outcome:
    """Claim 69.

    Two halves, after Krizhevsky et al. (2012): steps of SGD until a small convolutional net has a
    training error of 25 % (on the digits here), each activation at its gain and its best of three
    rates, 5 seeds. Sigmoid needs at least twice as many as ReLU in the median; so does tanh.
    """
    best, found = {}, {}
    for name, rates in CONV_RATES.items():
        best[name], found[name] = fastest("conv", name, rates, SEEDS, 0.25, CONV_STEPS[name])
    steps = {n: Spread.of(values) for n, values in found.items()}
    ratios = {n: _times(found, n, "relu") for n in ("sigmoid", "tanh")}
    measured = Words(
        f"Steps to a training error of 25 %: ReLU {steps['relu']}, tanh {steps['tanh']}, sigmoid "
        f"{steps['sigmoid']}: {ratios['tanh']} and {ratios['sigmoid']} times those of ReLU, each "
        "at its best rate.",
        f"训练错误率降到 25% 所需步数：ReLU 为 {steps['relu']}，tanh 为 {steps['tanh']}，"
        f"sigmoid 为 {steps['sigmoid']}。在各自最佳学习率下，tanh 与 sigmoid 分别是 ReLU 的 "
        f"{ratios['tanh']} 倍和 {ratios['sigmoid']} 倍。",
    )
    pictures = (
        _curves("conv", best, CONV_STEPS, SEEDS),
        _bars(Words("Steps to a training error of 25 %", "训练错误率降到 25% 的步数"), best, steps),
    )
    figures = {f"steps.{n}": s for n, s in steps.items()}
    figures |= {f"ratio.{n}": s for n, s in ratios.items()}
    hold = [r.middle >= FASTER for r in ratios.values()]
    return Outcome(halves(*hold), measured, figures, pictures, SEEDS)
