"""The verdict before the first step.

Nothing was trained, so harm cannot be observed; levels go by how many powers of two lie between
the first layer's gradient and the last one's. A network of a few layers with PyTorch's defaults
loses a bit a layer and heals within a hundred steps: that is no finding.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from gradoctor.prognosis._forecast import Fault, Forecast, Layer

OPEN = 10.0
"""Bits: a thousandth. Below it an optimizer with a scale of its own (Adam) still heals a network
in some steps, and plain SGD crawls."""
STUCK = 20.0
"""Bits: a millionth. The first layers of such networks stay where they were (20 sigmoid layers
lose 40 to 56, 20 ReLU layers with PyTorch's default 24)."""
SAFE = 6.0
"""Bits over the whole depth that a cure may leave."""
AGREES = 0.5
"""Theory must see at least this share of the span: it is the second, independent evidence."""
EXACT_ZERO = -148.0


def judged(found: Forecast) -> tuple[Fault, ...]:
    """What is wrong, the gravest first."""
    faults = [*_not_finite(found), *_constant(found), *_no_gradient(found)]
    if not any(fault.level == "sick" for fault in faults):
        faults += [*_slope(found), *_time(found)]
    order = {"sick": 0, "suspect": 1, "note": 2}
    return tuple(sorted(faults, key=lambda fault: order[fault.level]))


def _not_finite(found: Forecast) -> Iterator[Fault]:
    """The first output that is not finite; else the gradient nearest to the loss."""
    order = list(enumerate(found.layers))
    bad = [i for i, layer in order if not math.isfinite(layer.signal)]
    bad += [i for i, layer in reversed(order) if layer.measured == math.inf]
    for i in bad[:1]:
        yield Fault("GD701", "sick", i, {"layer": found.layers[i].name})


def _constant(found: Forecast) -> Iterator[Fault]:
    """Weights that start equal: zeros that no gradient can leave, or units that stay clones."""
    for i, layer in enumerate(found.layers):
        stuck = layer.measured <= EXACT_ZERO or math.isnan(layer.measured)
        if layer.constant == "zero" and stuck:
            yield Fault("GD301", "sick", i, {"layer": layer.name})
            return
        if layer.constant == "constant":
            yield Fault("GD302", "sick", i, {"layer": layer.name})
            return


def _no_gradient(found: Forecast) -> Iterator[Fault]:
    """Layers that ran and that no gradient came back to."""
    cut = [i for i, layer in enumerate(found.layers) if math.isnan(layer.measured)]
    if cut and len(cut) < len(found.layers):
        yield Fault("GD903", "suspect", cut[0], {"layer": found.layers[cut[0]].name,
                                                 "count": len(cut)})  # fmt: skip


def _slope(found: Forecast) -> Iterator[Fault]:
    span, layers = found.span, found.layers
    if not math.isfinite(span) or abs(span) < OPEN or len(layers) < 3:
        return
    at = _cliff(layers)
    values = {
        "first": layers[0].name, "last": layers[-1].name, "layers": len(layers),
        "slope": found.measured, "predicted": found.predicted, "span": span,
    }  # fmt: skip
    if at is not None:
        yield Fault("GD103", "suspect", at, {**values, "layer": layers[at].name})
        return
    expected = found.predicted * (len(layers) - 1) / span >= AGREES
    if span < 0:
        level = "sick" if span <= -STUCK and expected else "suspect"
        code = "GD303" if _init_mends(found) else "GD101"
    else:
        # one step of training undoes it where a batch norm makes weights free of scale
        level = "sick" if expected and "batch" not in found.normed else "suspect"
        code = "GD304" if _init_mends(found) else "GD102"
    yield Fault(code, level, 0, values)


def _time(found: Forecast) -> Iterator[Fault]:
    """Recurrent layers: what grows in time will spike; what fades is a matter of the task.

    An LSTM with PyTorch's biases forgets half a step, and trains well on what needs no more: that
    is told as its horizon, and is no finding.
    """
    for layer in found.recurrences:
        span = layer.slope * (layer.steps - 1)
        if span >= OPEN:
            yield Fault("GD102", "suspect", -1, {"recurrent": layer.name, "bits": layer.slope,
                                                 "steps": layer.steps})  # fmt: skip


def _init_mends(found: Forecast) -> bool:
    return any(cure.name == "initialise" for cure in found.cures)


def _cliff(layers: tuple[Layer, ...]) -> int | None:
    """The layer below the one place where more than half of the gradient is lost."""
    bits = [layer.measured for layer in layers]
    falls = [after - before for before, after in pairwise(bits)]
    worst = max(range(len(falls)), key=lambda i: falls[i])
    whole = bits[-1] - bits[0]
    return worst if falls[worst] >= OPEN and falls[worst] > 0.5 * abs(whole) else None
