"""Which activation: tanh, sigmoid and ReLU in one hidden layer, in ten, and in gates."""

from __future__ import annotations

from functools import cache
from math import nan

import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradoctor.experiments._data import digits
from gradoctor.experiments._judging import halves, once, same
from gradoctor.experiments._networks import ACTIVATIONS, Stack, draw_all, scaled
from gradoctor.experiments._training import accuracy, train
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Grid
from gradoctor.lab import Outcome, Spread
from gradoctor.nn import gain

SEEDS, STEPS = 5, 150
NAMES = ("sigmoid", "tanh", "relu")
RATES = (0.05, 0.3, 2.0)
GATE_RATES = (0.01, 0.03, 0.5)
DEPTHS = (1, 3, 10)
CLOSE, BEHIND = 0.02, 0.05
"""Accuracy within which two are called equal, and beyond which one is called unfit."""
SETTINGS: dict[str, Words] = {
    **{f"{d}": Words(f"{d} hidden", f"{d} 个隐藏层") for d in DEPTHS},
    "gate": Words("gates", "门控"),
}


class Highway(nn.Module):
    """Five ReLU layers, each let in by a gate: ``g·h(x) + (1 - g)·x`` (Srivastava et al. 2015)."""

    def __init__(self, gate: str, seed: int, depth: int = 5, width: int = 64) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
            self.gates = nn.ModuleList(nn.Linear(width, width) for _ in range(depth))
            self.head = nn.Linear(width, 10)
        draw_all(self, scaled(1.0), seed)
        for linear in self.gates:
            nn.init.constant_(linear.bias, -1.0)  # type: ignore[arg-type]
        self.gate = ACTIVATIONS[gate]()

    def forward(self, x: Tensor) -> Tensor:
        """The head's output."""
        for layer, linear in zip(self.layers, self.gates, strict=True):
            g = self.gate(linear(x))
            x = g * torch.relu(layer(x)) + (1 - g) * x
        out: Tensor = self.head(x)
        return out


def net_of(setting: str, name: str, seed: int) -> nn.Module:
    """The net of a setting with this activation, in its hidden layers or in its gates."""
    if setting == "gate":
        return Highway(name, seed)
    return Stack(int(setting), name, scaled(gain(ACTIVATIONS[name]())), seed=seed)


def learnt(setting: str, name: str, rate: float, seed: int) -> float:
    """Accuracy on the test digits after 150 steps of SGD; 0 when the training diverged."""
    data, net = digits(), net_of(setting, name, seed)
    run = train(net, data, SGD(net.parameters(), rate), steps=STEPS, seed=seed)
    return 0.0 if run.failed else accuracy(net, data.test_x, data.test_y)


@cache
def right(setting: str, name: str) -> Spread:
    """Accuracies over the seeds, at the rate whose median is highest."""
    rates = GATE_RATES if setting == "gate" else RATES
    swept = (Spread.of(learnt(setting, name, r, s) for s in range(SEEDS)) for r in rates)
    return max(swept, key=lambda s: s.middle)


def _told(name: str, lang: str) -> str:
    join = "；" if lang == "zh_CN" else "; "
    return join.join(f"{words.told(lang)} {right(key, name)}" for key, words in SETTINGS.items())


# ---- tanh for nearly everything, sigmoid for nothing --------------------------------------------
def tanh_nearly_always() -> Outcome:
    """Claim 24.

    Two halves, by median accuracy on the digits (5 seeds, each activation at its gain and its best
    rate) with 1, 3 and 10 hidden layers and in the gates of a highway network. Tanh fits nearly
    all: in at least three of the four it is within 2 points of the best of sigmoid, tanh and ReLU.
    Sigmoid is never fit: in each it is more than 5 points behind the best. (ReLU is no gate.)
    """
    best = {
        key: max(right(key, n).middle for n in NAMES if (key, n) != ("gate", "relu"))
        for key in SETTINGS
    }
    fits = [key for key in SETTINGS if right(key, "tanh").middle >= best[key] - CLOSE]
    unfit = [key for key in SETTINGS if right(key, "sigmoid").middle < best[key] - BEHIND]
    measured = Words(
        f"Accuracy with tanh: {_told('tanh', 'en')}. With sigmoid: {_told('sigmoid', 'en')}. Tanh "
        f"is within 2 points of the best in {len(fits)} of {len(SETTINGS)} settings, sigmoid over "
        f"5 points behind in {len(unfit)}.",
        f"tanh 的准确率：{_told('tanh', 'zh_CN')}。sigmoid：{_told('sigmoid', 'zh_CN')}。"
        f"{len(SETTINGS)} 种设置中，tanh 有 {len(fits)} 种与最好的相差不到 2 个百分点，"
        f"sigmoid 有 {len(unfit)} 种落后 5 个百分点以上。",
    )
    grid = Grid(
        Words("Accuracy, each at its best rate", "准确率（各取最佳学习率）"),
        same(NAMES),
        tuple(SETTINGS.values()),
        tuple(
            tuple(nan if (key, n) == ("gate", "relu") else right(key, n).middle for key in SETTINGS)
            for n in NAMES
        ),
    )
    figures = {
        f"accuracy.{n}.{key}": right(key, n)
        for n in NAMES
        for key in SETTINGS
        if (key, n) != ("gate", "relu")
    }
    verdict = halves(len(fits) >= 3, len(unfit) == len(SETTINGS))
    return Outcome(verdict, measured, figures, (grid,), SEEDS)


# ---- tanh over sigmoid --------------------------------------------------------------------------
def folded(seed: int) -> float:
    """How far a tanh net is from the sigmoid net that has its weights doubled and biases moved."""
    made = [Stack(3, n, scaled(1.0), seed=seed, dtype=torch.float64) for n in ("tanh", "sigmoid")]
    tanh, sigmoid = made
    with torch.no_grad():
        for index, linear in enumerate(sigmoid.linears()):
            inner, hidden = index > 0, index < len(sigmoid.blocks)
            factor = 2.0 if hidden else 1.0  # tanh(z) = 2σ(2z) - 1
            if inner:  # this layer is fed with σ and must undo the stretch and the shift
                linear.bias.sub_(linear.weight.sum(1))
                linear.weight.mul_(2)
            linear.weight.mul_(factor)
            linear.bias.mul_(factor)
        x = digits().x[:200].double()
        return float((tanh(x) - sigmoid(x)).abs().max())


def tanh_over_sigmoid() -> Outcome:
    """Claim 46.

    A part for each of four settings, by median accuracy on the digits (5 seeds, each at its gain
    and its best rate): 1, 3 and 10 hidden layers, and the gates of a highway network. A part holds
    when tanh is clearly better: more than 2 points above the sigmoid.
    """
    ahead = {k: right(k, "tanh").middle - right(k, "sigmoid").middle for k in SETTINGS}
    apart = folded(0)
    said = [(words, ahead[key]) for key, words in SETTINGS.items()]
    measured = Words(
        "Accuracy of tanh less that of sigmoid, in points: "
        + "; ".join(f"{words.en} {100 * value:+.1f}" for words, value in said)
        + f". A sigmoid net with doubled weights and moved biases is the tanh net to {apart:.0e}.",
        "tanh 与 sigmoid 的准确率之差（百分点）："
        + "；".join(f"{words.zh} {100 * value:+.1f}" for words, value in said)
        + f"。把权重加倍并移动偏置后，sigmoid 网络与 tanh 网络只差 {apart:.0e}。",
    )
    order = [(key, n) for key in SETTINGS for n in ("sigmoid", "tanh")]
    bars = Bars(
        Words("Sigmoid and tanh, each at its best rate", "sigmoid 与 tanh（各取最佳学习率）"),
        tuple(Words(f"{SETTINGS[k].en}: {n}", f"{SETTINGS[k].zh}：{n}") for k, n in order),
        tuple(right(*pair).middle for pair in order),
        Words("accuracy", "准确率"),
        tuple(right(*pair).low for pair in order),
        tuple(right(*pair).high for pair in order),
    )
    figures = {f"accuracy.{n}.{key}": right(key, n) for key, n in order}
    figures |= {f"ahead.{k}": once(v) for k, v in ahead.items()} | {"folded": once(apart)}
    return Outcome(halves(*(v > CLOSE for v in ahead.values())), measured, figures, (bars,), SEEDS)
