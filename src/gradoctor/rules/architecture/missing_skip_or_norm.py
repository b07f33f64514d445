"""A deep chain of layers with neither norms nor anything that carries the gradient past them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import backward_profile, paths
from gradoctor.rules.evidence.depth import slope

DEPTH = 20
BITS = 0.3  # a layer
EVEN = 0.8


@rule(proof="statistical", needs=("actgrad.rms",))
def missing_skip_or_norm(run: Recording) -> Iterator[Finding]:
    """Over more than twenty layers without a norm the gradient changes evenly, layer by layer.

    A residual connection would carry it past them unchanged. A note beside what it leads to.

    Values: layers, slope (bits a layer)
    """
    for path in paths(run):
        norms = [
            s for s in run.of_kind("module")
            if s.meta.get("role") == "norm" and s.order >= 0 and s.meta.get("model") == path.model
        ]  # fmt: skip
        if len(path.layers) <= DEPTH or norms:
            continue
        middle = backward_profile(run, path).middle(run)
        if not len(middle) or not np.isfinite(middle).all():
            continue
        line = slope(middle)
        if abs(line.slope) < BITS or line.r2 < EVEN:
            continue
        yield Finding(
            Level.NOTE, path.ids[:1], 0, max(0, run.steps - 1),
            {"layers": len(path.layers), "slope": line.slope},
            (Evidence("actgrad.rms", line.slope, BITS, "bits/layer", path.ids[0]),),
        )  # fmt: skip
