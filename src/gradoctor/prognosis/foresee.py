"""From a traced graph to a forecast: slopes, faults, and the changes that would mend it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from gradoctor.prognosis._forecast import Cure, Forecast, Layer, slope
from gradoctor.prognosis.judge import OPEN, SAFE, judged
from gradoctor.theory.design import following, initialised, normalised, rectified, residual
from gradoctor.theory.graph import Node, Prediction, bits, predict
from gradoctor.theory.signal import Local, Moments, Normalised, Weights

DESIGNS: dict[str, Callable[[Sequence[Node]], list[Node]]] = {
    "initialise": initialised,
    "relu": rectified,
    "batch_norm": lambda nodes: normalised(nodes, "batch"),
    "layer_norm": lambda nodes: normalised(nodes, "features"),
    "residual": lambda nodes: initialised(residual(nodes)),
}
"""The changes that are tried by theory, in the order they are proposed."""
FEWEST = 3


def foresee(nodes: Sequence[Node], model: str, inputs: str) -> Forecast:
    """The forecast of a network whose forward and backward were traced."""
    finite = all(math.isfinite(n.measured.square) for n in nodes)
    prediction = predict(nodes) if finite else None
    path = [n for n in nodes if n.layer][:-1]
    layers = tuple(_layer(nodes, n, prediction) for n in path)
    normed = sorted({n.rule.over for n in nodes if isinstance(n.rule, Normalised)})
    unknown = sorted({n.op for n in nodes if isinstance(n.rule, Local)})
    found = Forecast(model, inputs, layers, unknown=tuple(unknown), normed=tuple(normed))
    if len(layers) < FEWEST:
        return replace(found, faults=judged(found))
    cures = _cures(nodes, found) if finite and abs(found.span) >= OPEN else ()
    found = replace(found, cures=cures)
    return replace(found, faults=judged(found))


def _layer(nodes: Sequence[Node], node: Node, prediction: Prediction | None) -> Layer:
    rule = node.rule
    assert isinstance(rule, Weights)
    constant = "" if rule.variance else "zero" if not rule.mean else "constant"
    gradient = node.gradient
    return Layer(
        name=node.module or node.op,
        op=node.op,
        activation=following(nodes, node),
        file=node.file,
        line=node.line,
        measured=math.nan if gradient is None else _bits(gradient, node.size),
        predicted=math.nan
        if gradient is None or prediction is None
        else _bits(prediction.gradients[node.id], node.size),
        signal=_bits(node.measured, 1),
        similarity=node.measured.similarity,
        constant=constant,
    )


def _bits(moments: Moments, size: int) -> float:
    return bits(moments, size) if math.isfinite(moments.square) else math.inf


def _cures(nodes: Sequence[Node], found: Forecast) -> tuple[Cure, ...]:
    """The changes that theory says would keep the gradient, the least change first.

    Another activation is proposed only where no weights would do with this one.
    """
    normed = set(found.normed)
    superfluous = {"batch_norm"} if "batch" in normed else set()
    superfluous |= {"layer_norm"} if normed & {"features", "rms"} else set()
    cures: list[Cure] = []
    for name, design in DESIGNS.items():
        if name in superfluous:
            continue
        changed = design(nodes)
        prediction = predict(changed)
        path = [n for n in changed if n.layer][:-1]
        after = slope([bits(prediction.gradients[n.id], n.size) for n in path])
        span = after * (len(found.layers) - 1)
        if math.isfinite(span) and abs(span) <= SAFE:
            cures.append(Cure(name, after, span))
            superfluous |= {"relu"} if name == "initialise" else set()
    return tuple(cures)
