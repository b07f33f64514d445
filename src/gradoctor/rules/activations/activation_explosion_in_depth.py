"""The signal grows from layer to layer while training goes on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording, Series
from gradoctor.records import Evidence, Finding
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import Path, cautious, diverged, paths, persistence, stuck
from gradoctor.rules.evidence.depth import columns, slope
from gradoctor.rules.evidence.robust import Array
from gradoctor.rules.evidence.timing import start_step

TOTAL = 10.0  # bits over the depth
STRAIGHT = 0.8  # R2: an explosion is geometric, a residual stream grows like the root


@rule(proof="statistical", needs=("act.rms",))
def activation_explosion_in_depth(run: Recording) -> Iterator[Finding]:
    """Outputs grow geometrically with depth, and not only at the first step.

    Mechanism: the last layer's output is ten bits or more larger than the first's, on a straight
    slope. Harm: the loss diverged, or is stuck at the trivial baseline. A large signal that trains
    is a note.

    Values: growth_bits, slope_bits, layers, first, last
    """
    for path in paths(run):
        bits, total = _profile(run, path)
        past = persistence(run, total, TOTAL, side="above", clear=TOTAL - 1)
        if not past.mechanism:
            continue
        rows = total.steps >= start_step(run)
        line = slope(np.median(bits[rows], axis=0))
        if line.r2 < STRAIGHT or line.slope * (len(path.layers) - 1) < TOTAL:
            continue
        yield Finding(
            level=cautious(persists=past.holds, harm=diverged(run).found or stuck(run).found),
            sites=path.ids,
            first_step=past.first,
            last_step=past.last,
            values={
                "growth_bits": past.value,
                "slope_bits": line.slope,
                "layers": len(path.layers),
                "first": path.layers[0].name,
                "last": path.layers[-1].name,
            },
            evidence=(
                Evidence("act.rms", past.value, TOTAL, "bits", path.layers[-1].id),
                Evidence("act.rms", line.slope, None, "bits/layer"),
            ),
        )
        return


def _profile(run: Recording, path: Path) -> tuple[Array, Series]:
    """log2 rms of each layer at the looks that saw all of them, and last minus first."""
    values = columns(run, "act.rms", path.ids).astype(np.float64)
    steps = run.table("act.rms").steps
    whole = np.isfinite(values).all(axis=1) & (values > 0).all(axis=1)
    bits = np.log2(values[whole])
    return bits, Series(steps[whole], (bits[:, -1] - bits[:, 0]).astype(np.float32))
