"""The gradient fades, or grows, from time step to time step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, cautious, diverged, learnt_nothing
from gradoctor.rules.evidence.exclusions import converged, warming_up
from gradoctor.rules.evidence.robust import median

LOST = 10.0  # bits: what comes from farther back is a thousandth
ROUNDED = 24.0  # bits over the sequence: float32 sums of all steps lose the first ones altogether
SHORTEST = 20  # steps of a sequence that is long enough to speak of memory
FEWEST = 3  # deep looks


@rule(proof="statistical", needs=("time.slope", "time.length"))
def recurrent_gradient_decay(run: Recording) -> Iterator[Finding]:
    """Through a recurrent layer the gradient changes geometrically from step to step.

    Mechanism: the slope of log2 of the gradient over time, in most deep looks. Decay: 24 bits are
    lost over the sequence, so that the first steps drop out of the float32 sum over all steps.
    Explosion: ten bits are gained. Harm: nothing was learnt (a task that needs a short memory only
    is learnt all the same), or diverged. Without harm nothing is said: memories fade on purpose.

    Values: kind, slope_bits (lost a step), horizon, length, module
    """
    for site in run.of_kind("module"):
        slope, length = run.series("time.slope", site.id), run.series("time.length", site.id)
        if len(slope) < FEWEST or not len(length):
            continue
        steps, bits = median(length.values), median(slope.values)
        if steps < SHORTEST or not _is_ill(bits, steps):
            continue
        same = slope.values > 0 if bits > 0 else slope.values < 0
        # the last looks count most: what heals is no disease
        persists = float(np.mean(same)) >= 0.8 and _is_ill(float(slope.values[-1]), steps)
        found = _finding(run, site, bits, steps, persists=persists)
        if found is not None:
            yield found
            return


def _is_ill(bits: float, steps: float) -> bool:
    return -bits * steps > LOST or bits * steps > ROUNDED


def _finding(
    run: Recording, site: Site, bits: float, steps: float, *, persists: bool
) -> Finding | None:
    decays = bits > 0
    if not (learnt_nothing(run) if decays else diverged(run).found):
        return None
    exclusions = (warming_up(run), converged(run))
    return Finding(
        level=cautious(persists=persists, harm=True, exclusions=exclusions),
        sites=(site.id,),
        last_step=int(run.series("time.slope", site.id).steps[-1]),
        values={
            "kind": "decay" if decays else "explosion",
            "slope_bits": abs(bits),
            "horizon": LOST / abs(bits),
            "length": steps,
            "module": site.name,
        },
        evidence=(
            Evidence(
                "time.slope", bits, (ROUNDED if decays else -LOST) / steps, "bits/step", site.id
            ),
            Evidence("time.length", steps, None, "steps", site.id),
        ),
        exclusions=as_pairs(exclusions),
    )
