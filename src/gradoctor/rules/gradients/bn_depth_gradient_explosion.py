"""Batch norm without skip connections makes the gradient grow with depth."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import Path, as_pairs, cautious, diverged, paths, stuck
from gradoctor.rules.evidence.depth import initial, slope
from gradoctor.rules.evidence.exclusions import Exclusion, fine_tuning
from gradoctor.rules.evidence.structure import is_residual

LOW, HIGH = 0.2, 0.4  # bits a layer; theory: log2 of the root of pi/(pi-1), 0.276
STRAIGHT = 0.95
TOTAL = 10.0  # bits


@rule(proof="statistical", needs=("actgrad.rms",))
def bn_depth_gradient_explosion(run: Recording) -> Iterator[Finding]:
    """With a batch norm before every ReLU the gradient grows by a fixed factor a layer.

    Mechanism: at step 0 the backward slope lies between 0.2 and 0.4 bits a layer towards the input,
    very straight, over ten bits in all, with as many batch norms as layers and no residual sum.
    The first update heals it, unless it is so large that it wrecks the first layers. Harm: the loss
    diverged, or is stuck at the trivial baseline.

    Values: slope_bits, span_bits, layers
    """
    for path in paths(run):
        bits = initial(run, path, "actgrad.rms")
        if not len(bits) or not _is_normed_throughout(run, path):
            continue
        line = slope(bits)
        span = -line.slope * (len(bits) - 1)
        if not LOW <= -line.slope <= HIGH or line.r2 < STRAIGHT or span < TOTAL:
            continue
        exclusions: tuple[Exclusion, ...] = (
            fine_tuning(run),
            Exclusion("residual", is_residual(run)),
        )
        if any(e.found for e in exclusions):
            continue
        yield Finding(
            level=cautious(
                persists=True, harm=diverged(run).found or stuck(run).found, exclusions=exclusions
            ),
            sites=path.ids[: max(1, len(path.ids) // 3)],
            values={"slope_bits": -line.slope, "span_bits": span, "layers": len(path.layers)},
            evidence=(
                Evidence("actgrad.rms", -line.slope, LOW, "bits/layer", path.layers[0].id),
                Evidence("actgrad.rms", line.r2, STRAIGHT, "R2"),
            ),
            exclusions=as_pairs(exclusions),
        )
        return


def _is_normed_throughout(run: Recording, path: Path) -> bool:
    """A batch norm follows nearly every layer of the path."""
    orders = np.array([s.order for s in path.layers])
    norms = [
        s.order
        for s in run.of_kind("module")
        if "BatchNorm" in s.type and s.order >= 0 and s.meta.get("model", "") == path.model
    ]
    followed = {int(np.searchsorted(orders, n, "right")) for n in norms}
    return len(followed) >= 0.9 * len(path.layers)
