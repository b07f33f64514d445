"""What to put at the output of a binary classifier, and what in its hidden layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812
from torch.optim import SGD

from gradoctor.experiments._data import breast_cancer
from gradoctor.experiments._judging import halves, line, same
from gradoctor.experiments._networks import ACTIVATIONS, Stack, scaled
from gradoctor.experiments._training import train
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Plot
from gradoctor.lab import Outcome, Spread
from gradoctor.nn import gain

SEEDS, STEPS, RATES = 5, 200, (0.05, 0.2)
WITHIN = 0.02
"""Accuracy that a sound default may be short of the best."""


@dataclass(frozen=True)
class Head:
    """An output: its loss of the net's raw numbers, and the probability of a 1 that it gives."""

    loss: Callable[[Tensor, Tensor], Tensor]
    probability: Callable[[Tensor], Tensor]


HEADS: dict[str, Head] = {
    "sigmoid + BCE": Head(lambda z, y: F.binary_cross_entropy(z.sigmoid(), y), torch.sigmoid),
    "sigmoid + MSE": Head(lambda z, y: F.mse_loss(z.sigmoid(), y), torch.sigmoid),
    "tanh + MSE": Head(
        lambda z, y: F.mse_loss(z.tanh(), 2 * y - 1), lambda z: (z.tanh() + 1) / 2
    ),
    "linear + MSE": Head(F.mse_loss, lambda z: z),
    "ReLU + MSE": Head(lambda z, y: F.mse_loss(z.relu(), y), torch.relu),
}  # fmt: skip
HIDDEN = ("relu", "sigmoid", "tanh", "gelu")


@cache
def tested(hidden: str, head: str, rate: float, seed: int) -> tuple[float, float]:
    """Accuracy on the test patients, and the share of outputs that are no probability."""
    data = breast_cancer()
    draw = scaled(gain(ACTIVATIONS[hidden]()))
    net = Stack(1, hidden, draw, inputs=data.inputs, width=32, outputs=1, seed=seed)

    def loss(z: Tensor, y: Tensor) -> Tensor:
        return HEADS[head].loss(z[:, 0], y.float())

    train(net, data, SGD(net.parameters(), rate), steps=STEPS, seed=seed, loss=loss)
    with torch.no_grad():
        p = HEADS[head].probability(net(data.test_x)[:, 0])
    outside = ((p < 0) | (p > 1)).double().mean()
    return float(((p > 0.5) == data.test_y.bool()).double().mean()), float(outside)


def _best(hidden: str, head: str) -> tuple[Spread, Spread]:
    """Accuracies and shares outside [0, 1] over the seeds, at the rate that is more accurate."""
    swept = []
    for rate in RATES:
        pairs = [tested(hidden, head, rate, s) for s in range(SEEDS)]
        swept.append((Spread.of(a for a, _ in pairs), Spread.of(b for _, b in pairs)))
    return max(swept, key=lambda both: both[0].middle)


def pulled_back(loss: Callable[[Tensor, Tensor], Tensor], logit: float) -> float:
    """The gradient at a logit whose label is 0 (float32)."""
    z = torch.tensor([logit], requires_grad=True)
    (grad,) = torch.autograd.grad(loss(z, torch.zeros(1)), z)
    return float(grad)


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "BCEWithLogits": F.binary_cross_entropy_with_logits,
    "sigmoid + BCE": HEADS["sigmoid + BCE"].loss,
    "sigmoid + MSE": HEADS["sigmoid + MSE"].loss,
}


def binary_output() -> Outcome:
    """Claim 22.

    Two halves, on the breast cancer data by median accuracy (5 seeds, the better of two rates). The
    output: a sigmoid with cross-entropy is within 2 points of the best of five outputs, and all it
    gives lie in [0, 1]. The hidden layer: ReLU is within 2 points of the best of four activations.
    """
    heads = {h: _best("relu", h) for h in HEADS}
    hidden = {n: _best(n, "sigmoid + BCE")[0] for n in HIDDEN}
    own, outside = heads["sigmoid + BCE"]
    sound = own.middle >= max(a.middle for a, _ in heads.values()) - WITHIN and outside.high == 0
    good = hidden["relu"].middle >= max(s.middle for s in hidden.values()) - WITHIN
    far = {name: pulled_back(loss, 20.0) for name, loss in LOSSES.items()}
    others = [(h, a) for h, (a, _) in heads.items() if h != "sigmoid + BCE"]
    measured = Words(
        f"Accuracy with sigmoid and cross-entropy {own}; "
        + ", ".join(f"{h}: {a}" for h, a in others)
        + f". A linear output leaves [0, 1] for {heads['linear + MSE'][1]} of the patients. Hidden "
        + ", ".join(f"{n} {s}" for n, s in hidden.items())
        + ". Gradient at a logit of 20 that should be negative: "
        + ", ".join(f"{n}: {v:.2g}" for n, v in far.items())
        + ".",
        f"输出层用 sigmoid 加交叉熵时准确率为 {own}；"
        + "；".join(f"{h}：{a}" for h, a in others)
        + f"。线性输出对 {heads['linear + MSE'][1]} 的病人超出 [0, 1]。隐藏层："
        + "，".join(f"{n} 为 {s}" for n, s in hidden.items())
        + "。logit 为 20 而标签为 0 时的梯度："
        + "；".join(f"{n} 为 {v:.2g}" for n, v in far.items())
        + "。",
    )
    figures = {f"accuracy.{h}": a for h, (a, _) in heads.items()}
    figures |= {f"outside.{h}": o for h, (_, o) in heads.items()}
    figures |= {f"hidden.{n}": s for n, s in hidden.items()}
    figures |= {f"gradient.{n}": Spread.of([v]) for n, v in far.items()}
    return Outcome(halves(sound, good), measured, figures, _drawn(heads, hidden), SEEDS)


def _drawn(
    heads: dict[str, tuple[Spread, Spread]], hidden: dict[str, Spread]
) -> tuple[Plot, Bars, Bars]:
    places = torch.linspace(-5, 25, 61).tolist()
    gradients = Plot(
        Words("The gradient where the label is 0", "标签为 0 时的梯度"),
        Words("logit", "logit（sigmoid 的输入）"),
        Words("gradient at the logit", "对 logit 的梯度"),
        tuple(line(n, places, [pulled_back(f, z) for z in places]) for n, f in LOSSES.items()),
    )
    accuracies = {h: a for h, (a, _) in heads.items()}
    return (
        gradients,
        _bars(Words("Outputs, hidden layer of ReLU", "不同的输出层（隐藏层为 ReLU）"), accuracies),
        _bars(
            Words("Hidden layers, sigmoid at the output", "不同的隐藏层（输出层为 sigmoid）"),
            hidden,
        ),
    )


def _bars(title: Words, found: dict[str, Spread]) -> Bars:
    return Bars(
        title,
        same(found),
        tuple(s.middle for s in found.values()),
        Words("accuracy on the test set", "测试集准确率"),
        tuple(s.low for s in found.values()),
        tuple(s.high for s in found.values()),
    )
