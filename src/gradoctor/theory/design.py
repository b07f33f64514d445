"""What would be if: other weights, activations, norms or residual connections in the same graph."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from gradoctor.theory.graph import Node
from gradoctor.theory.signal import Add, Elementwise, Moments, Normalised, Rule, Weights

SAMPLES = 64
"""Samples in the batch of a batch norm that is not there yet."""
RELU = Elementwise(lambda z: np.maximum(z, 0.0), lambda z: np.where(z > 0, 1.0, 0.0))


def planned(nodes: Sequence[Node]) -> list[tuple[Node, float, bool]]:
    """For each layer the deviation of weights that give its output unit variance.

    The mean square of its input follows by theory from the activation before it, for an input of
    the network of unit mean square. The layers that end one of R residual branches get a variance
    of 1/R instead, so that the stream stays within twice its size.

    Returns:
        The node, the deviation, and whether it ends a residual branch; in the order they run.
    """
    ends = {n.id for n in nodes if n.layer and _ends_branch(nodes, n)}
    values: dict[int, Moments] = {}
    plan = []
    for node in nodes:
        xs = tuple(values[i] for i in node.inputs)
        rule = node.rule
        if isinstance(rule, Weights):
            target = 1 / len(ends) if node.id in ends else 1.0
            variance = target / (rule.fan_in * max(xs[0].square, 1e-30))
            plan.append((node, math.sqrt(variance), node.id in ends))
            rule = replace(rule, mean=0.0, variance=variance, bias_mean=0.0, bias_square=0.0)
        if rule is not None and xs:
            values[node.id] = rule.forward(xs, node.measured)
        else:
            values[node.id] = Moments(0.0, 1.0, max(0.0, min(1.0, node.measured.similarity)))
    return plan


def following(nodes: Sequence[Node], layer: Node) -> str:
    """The activation that a layer's output reaches first, through norms and reshapes."""
    reached = {layer.id}
    for node in nodes[layer.id + 1 :]:
        if not reached.intersection(node.inputs):
            continue
        if isinstance(node.rule, Elementwise):
            return node.op
        if not isinstance(node.rule, Add | Weights):
            reached.add(node.id)
    return ""


def _ends_branch(nodes: Sequence[Node], layer: Node) -> bool:
    """Its output goes into a sum with a signal that it was itself made of."""
    behind = _ancestors(nodes, layer)
    reached = {layer.id}
    for node in nodes[layer.id + 1 :]:
        if not reached.intersection(node.inputs):
            continue
        if isinstance(node.rule, Add):
            return any(other in behind for other in set(node.inputs) - reached)
        if isinstance(node.rule, Weights):
            return False
        reached.add(node.id)
    return False


def _ancestors(nodes: Sequence[Node], of: Node) -> set[int]:
    found: set[int] = set()
    waiting = list(of.inputs)
    while waiting:
        node = waiting.pop()
        if node not in found:
            found.add(node)
            waiting.extend(nodes[node].inputs)
    return found


def initialised(nodes: Sequence[Node]) -> list[Node]:
    """The graph with the weights of ``planned`` and zero biases."""
    deviations = {node.id: deviation for node, deviation, _ in planned(nodes)}
    return [
        replace(n, rule=Weights(0.0, deviations[n.id] ** 2, n.rule.fan_in, n.rule.fan_out))
        if isinstance(n.rule, Weights)
        else n
        for n in nodes
    ]


def rectified(nodes: Sequence[Node]) -> list[Node]:
    """The graph with ReLU for every activation that a layer feeds, and weights to match."""
    changed = [
        replace(n, op="relu", rule=RELU) if isinstance(n.rule, Elementwise) else n for n in nodes
    ]
    return initialised(changed)


def normalised(nodes: Sequence[Node], over: str) -> list[Node]:
    """The graph with a norm before every activation that a layer feeds directly.

    Args:
        over: ``batch`` or ``features`` (a layer norm).
    """
    fed = {n.id for n in nodes if n.layer}
    out: list[Node] = []
    moved: dict[int, int] = {}
    for node in nodes:
        if isinstance(node.rule, Elementwise) and fed.issuperset(node.inputs):
            source = out[moved[node.inputs[0]]]
            count = SAMPLES if over == "batch" else max(source.size, 2)
            norm = _made(len(out), f"{over}_norm", Normalised(over, count), (source.id,), source)
            out += [norm, replace(node, id=norm.id + 1, inputs=(norm.id,))]
        else:
            out.append(_moved(node, len(out), moved))
        moved[node.id] = out[-1].id
    return out


def residual(nodes: Sequence[Node]) -> list[Node]:
    """The graph with each layer's input stream added to its output, where the sizes allow it."""
    out: list[Node] = []
    moved: dict[int, int] = {}
    last: int | None = None
    for node in nodes:
        new = _moved(node, len(out), moved)
        out.append(new)
        moved[node.id] = new.id
        if not node.layer:
            continue
        if last is not None and out[last].size == node.size:
            out.append(_made(len(out), "add", Add(), (last, new.id), node))
            moved[node.id] = len(out) - 1
        last = moved[node.id]
    return out


def _moved(node: Node, to: int, moved: dict[int, int]) -> Node:
    return replace(node, id=to, inputs=tuple(moved[i] for i in node.inputs))


def _made(place: int, op: str, rule: Rule, inputs: tuple[int, ...], like: Node) -> Node:
    return Node(place, op, rule, inputs, like.size, like.measured)
