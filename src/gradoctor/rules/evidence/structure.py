"""What stands around the layers: activations after them, norms, residual sums."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from gradoctor.knowledge.formulary import Activation, entries
from gradoctor.recording import Recording
from gradoctor.records import Site
from gradoctor.rules.evidence.depth import Path
from gradoctor.rules.evidence.robust import Array
from gradoctor.theory.gaussian import expectation


def is_normed(run: Recording, path: Path) -> bool:
    """Norms stand among the layers: the scale of the weights is then none of the signal's."""
    return any(
        s.meta.get("role") == "norm" and s.order >= 0 and s.meta.get("model", "") == path.model
        for s in run.of_kind("module")
    )


def is_residual(run: Recording) -> bool:
    """Some sum adds to a signal what was computed from it."""
    return any(s.meta.get("role") == "residual" for s in run.of_kind("op"))


def activation_after(run: Recording, path: Path, layer: int) -> Site | None:
    """The only activation between a layer of the path and the next; None for none or several."""
    end = path.layers[layer + 1].order if layer + 1 < len(path.layers) else None
    between = [
        s
        for s in run.of_kind("module", "op")
        if s.meta.get("activation")
        and s.order > path.layers[layer].order
        and (s.order < end if end is not None else s.order == path.layers[layer].order + 1)
    ]
    return between[0] if len(between) == 1 else None


def known_activation(name: str) -> Activation | None:
    """The formulary's entry of an activation that capture names."""
    wanted = name.replace("_", "")
    for entry in entries("activations"):
        if entry.name.replace("-", "").replace("_", "") == wanted:
            return entry if isinstance(entry, Activation) else None
    return None


def mean_square_slope(activation: Activation, size: float) -> float:
    """E[f'(size z)^2] for z ~ N(0, 1)."""
    slope = cast(Callable[[Array], Array], np.vectorize(activation.slope, otypes=[float]))
    return expectation(lambda z: slope(size * z) ** 2)


def first_gain(run: Recording, weight: int | None) -> float | None:
    """std * sqrt(fan_in) of a weight at step 0; None where it was not random."""
    for fact in run.facts_of("init", weight) if weight is not None else ():
        gain = fact.data.get("gain")
        if isinstance(gain, int | float) and gain > 0 and not fact.data.get("constant"):
            return float(gain)
    return None
