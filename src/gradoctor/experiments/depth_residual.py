"""What a way around each layer does to gradients, up to 200 layers."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from gradoctor.experiments._data import digits
from gradoctor.experiments._judging import halves, line, once
from gradoctor.experiments._networks import Draw, Stack, pulled, scaled, xavier
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Plot
from gradoctor.lab import Outcome, Spread

DEPTHS = (10, 20, 50, 100, 200)
SEEDS = 5


@dataclass(frozen=True)
class Kind:
    """A stack by how its weights are drawn at each depth."""

    label: Words
    activation: str
    gain: float
    shrinks: bool = False
    skip: bool = True

    def draw(self, depth: int) -> Draw:
        """The weights' scale; a shrinking one falls with the root of the depth."""
        return scaled(self.gain / math.sqrt(depth) if self.shrinks else self.gain)


KINDS = {
    "sigmoid": Kind(Words("sigmoid, residual", "sigmoid，残差"), "sigmoid", 1.0),
    "tanh": Kind(Words("tanh, residual", "tanh，残差"), "tanh", 1.0),
    "relu": Kind(Words("ReLU, residual, He", "ReLU，残差，He"), "relu", 2**0.5),
    "small": Kind(Words("ReLU, residual, He/√depth", "ReLU，残差，He/√深度"), "relu", 2**0.5, True),
    "plain": Kind(Words("sigmoid, plain", "sigmoid，无残差"), "sigmoid", 1.0, skip=False),
}


def kept(kind: Kind, depth: int) -> Spread:
    """The gradient at the first hidden state over that at the last."""
    x = digits().x[:64].double()
    found = []
    for seed in range(SEEDS):
        net = Stack(
            depth, kind.activation, kind.draw(depth), seed=seed, skip=kind.skip, dtype=torch.float64
        )
        sizes = pulled(net, x, seed)
        found.append(sizes[1] / sizes[-1])
    return Spread.of(found)


def opposed(depth: int) -> float:
    """What a residual stack keeps whose linear branches undo the way around: x + (-x)."""
    net = Stack(depth, "linear", xavier, skip=True, dtype=torch.float64)
    with torch.no_grad():
        for linear in net.linears()[:-1]:
            linear.weight.copy_(-torch.eye(64))
    sizes = pulled(net, digits().x[:64].double(), 0)
    return sizes[0] / sizes[-1]


def residual_paths() -> Outcome:
    """Claim 14.

    Three parts, depths 10 to 200, 5 seeds, float64. With random weights no residual stack (three
    activations) keeps less than a tenth of its gradient; none grows it more than a thousandfold;
    and no choice of weights makes it vanish: branches of -x do not either.
    """
    found = {(name, depth): kept(kind, depth) for name, kind in KINDS.items() for depth in DEPTHS}
    residual = [s for (name, _), s in found.items() if name != "plain"]
    gone = opposed(10)
    least = min(residual, key=lambda s: s.low)
    most = max(residual, key=lambda s: s.high)
    measured = Words(
        f"From 10 to 200 layers residual stacks keep at least {least.low:.2g} of the gradient; a "
        f"plain sigmoid keeps {found['plain', 200]} at 200. But at 200 layers residual ReLU with "
        f"He's scale multiplies it by {most}, by {found['small', 200]} with branches scaled by "
        f"1/√depth. Ten linear branches that give -x leave {gone:.3g}.",
        f"在 10 到 200 层之间，残差网络至少保留 {least.low:.2g} 倍的梯度；200 层的普通 sigmoid 网络"
        f"只保留 {found['plain', 200]}。但 200 层、He 初始化的残差 ReLU 网络把梯度放大了 {most} "
        "倍，"
        f"分支按 1/√深度 缩小后为 {found['small', 200]} 倍。十个输出 -x 的线性分支则使梯度变为 "
        f"{gone:.3g}。",
    )
    picture = Plot(
        Words("The first layer's gradient over the last's", "首层梯度与末层梯度之比"),
        Words("hidden layers", "隐藏层数"),
        Words("ratio", "比值"),
        tuple(
            line(kind.label, DEPTHS, (found[name, d].middle for d in DEPTHS))
            for name, kind in KINDS.items()
        ),
        log_x=True,
        log_y=True,
    )
    figures = {f"kept.{name}.{depth}": s for (name, depth), s in found.items()}
    figures["kept.opposed"] = once(gone)
    verdict = halves(least.low > 0.1, most.high < 1000, gone > 0)
    return Outcome(verdict, measured, figures, (picture,), SEEDS)
