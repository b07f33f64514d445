"""What the entries of losses have besides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from gradoctor.knowledge.formulary._entry import Entry, Row
from gradoctor.knowledge.language import Words


@dataclass(frozen=True, slots=True, kw_only=True)
class Loss(Entry):
    """A loss.

    Attributes:
        value: ``value(outputs, targets)``, the mean over the examples as PyTorch takes it.
        gradients: its gradient at the outputs, in their shape; where it has none, what PyTorch's
            autograd gives, NaN included.
        constant: the one output that is best for all targets when the inputs are ignored.
        wants: what the outputs and the targets must be.
        trivial: what a constant predictor reaches, in words.
        convex: in the outputs (in the weights of a network with a hidden layer none is).
        pitfalls: of reduction, weights and shapes.
    """

    kind: str = "losses"
    value: Callable[[Sequence[Any], Sequence[Any]], float]
    gradients: Callable[[Sequence[Any], Sequence[Any]], list[Any]]
    constant: Callable[[Sequence[Any]], Any]
    wants: Words
    trivial: Words
    convex: bool = True
    pitfalls: Words

    def baseline(self, targets: Sequence[Any]) -> float:
        """What the best constant predictor reaches: a model that learns must get below it."""
        return self.value([self.constant(targets)] * len(targets), targets)

    def details(self) -> tuple[Row, ...]:
        """What goes in, the trivial baseline, convexity, pitfalls."""
        convex = Words(
            "in the outputs; not in the weights of a network with a hidden layer",
            "关于输出是凸的；关于含隐藏层的网络的权重则不是",
        )
        return (
            (Words("wants", "输入要求"), self.wants),
            (Words("a constant predictor reaches", "常数预测所能达到的值"), self.trivial),
            (Words("convex", "凸性"), convex if self.convex else Words("no", "非凸")),
            (Words("pitfalls", "易错之处"), self.pitfalls),
        )
