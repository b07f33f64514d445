"""A network's operations as plain data, and the moments that theory predicts along it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from gradoctor.theory.signal import Moments, Normalised, Rule, added, averaged, scaled


@dataclass(slots=True)
class Node:
    """One tensor of a forward, and the operation that made it.

    Attributes:
        op: the operation's name, as PyTorch has it (``linear``, ``relu``).
        rule: what it does to moments; None for an input.
        inputs: the ids of the nodes that went in.
        size: elements of one sample.
        measured: of the values.
        gradient: of the gradient that came back, None before the backward or when none came.
        module, kind: name and class of the module it belongs to.
        file, line: the user's line that made it.
        consumed: an operation used it, be it one that now stands for several (functions of one
            element are composed); what nothing used is an output, where the gradient comes in.
        levels: of an input: mean squares of groups of samples, from quiet to loud, relative to all.
        layer: it is the output of a matrix product or a convolution with a weight.
    """

    id: int
    op: str
    rule: Rule | None
    inputs: tuple[int, ...]
    size: int
    measured: Moments
    gradient: Moments | None = None
    module: str = ""
    file: str | None = None
    line: int | None = None
    kind: str = ""
    layer: bool = False
    consumed: bool = False
    levels: tuple[float, ...] = ()


@dataclass(slots=True)
class Prediction:
    """What theory says of each node: of its values, and of the gradient with respect to it."""

    values: dict[int, Moments] = field(default_factory=dict)
    gradients: dict[int, Moments] = field(default_factory=dict)


def predict(nodes: Sequence[Node]) -> Prediction:
    """Moments along a graph, from its inputs' values and its outputs' gradients.

    Where an activation amplifies differences of scale, loud and quiet samples part ways; so they
    are followed apart and averaged, unless a batch norm brings them together.

    Args:
        nodes: in the order they ran; ids are positions.
    """
    together = any(isinstance(n.rule, Normalised) and n.rule.over == "batch" for n in nodes)
    levels = next((n.levels for n in nodes if n.rule is None), ())
    if together or len(levels) < 2:
        return _predict(nodes, 1.0)
    parts = [_predict(nodes, level) for level in levels]
    return Prediction(
        {n.id: averaged([p.values[n.id] for p in parts]) for n in nodes},
        {n.id: averaged([p.gradients[n.id] for p in parts]) for n in nodes},
    )


def _predict(nodes: Sequence[Node], level: float) -> Prediction:
    """For samples whose inputs have that many times the usual mean square."""
    found = Prediction()
    for node in nodes:
        xs = tuple(found.values[i] for i in node.inputs)
        if node.rule is not None and xs:
            found.values[node.id] = node.rule.forward(xs, node.measured)
        else:
            found.values[node.id] = scaled(node.measured, level if node.levels else 1.0)
    used = {i for node in nodes for i in node.inputs}
    coming: dict[int, list[Moments]] = {}
    for node in reversed(nodes):
        parts = coming.pop(node.id, [])
        if node.id not in used and not node.consumed and node.gradient is not None:
            parts = [node.gradient]
        # gradients of different paths are independent: they add up without their means
        total = added(tuple(part._replace(mean=0.0) for part in parts))
        found.gradients[node.id] = total
        if node.rule is not None and total.square:
            xs = tuple(found.values[i] for i in node.inputs)
            for i, part in zip(node.inputs, node.rule.backward(xs, total), strict=True):
                coming.setdefault(i, []).append(part)
    return found


def layers(nodes: Sequence[Node]) -> list[Node]:
    """The layers that a gradient came back to, in the order they ran."""
    return [n for n in nodes if n.layer and n.gradient is not None]


def bits(moments: Moments, size: int) -> float:
    """log2 of the norm of a sample: unlike the rms, widths and strides leave it unchanged."""
    return 0.5 * math.log2(max(moments.square * max(size, 1), 2.0**-298))
