"""Targets are far larger than anything the network can say at first."""

from __future__ import annotations

from collections.abc import Iterator
from math import log2

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.loss import level as loss_level
from gradoctor.rules.evidence.timing import YOUNG
from gradoctor.rules.losses._calls import calls, finding

BITS = 5.0
NATURAL = 0.125
"""Least size of the first predictions: a head that starts at zero says nothing of the scale."""
SKEWED = 20.0
FEWEST = 3  # batches
MANY = 1000  # steps
REGRESSION = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss")


@rule(proof="numerical", needs=("target.std", "prediction.rms"))
def target_unscaled(run: Recording) -> Iterator[Finding]:
    """Targets are 32 times the first predictions or more; the loss is worse than a constant's.

    The harm decides: a head that has learned the scale by the end is left in peace. In the first
    steps, which show no harm, it is a suspicion where these steps lead nowhere near the targets.

    Positive targets that reach 20 times their mean ask for a logarithm rather than for a scale.

    Values: kind (plain or skewed), mean, std (of the targets), prediction (rms at the start),
        ratio, loss, baseline
    """
    known = loss_level(run)
    for site, _ in calls(run, *REGRESSION):
        mean = np.abs(run.series("target.mean", site.id).values)
        std = run.series("target.std", site.id).values
        first = run.series("prediction.rms", site.id).values[:FEWEST]
        if len(std) < FEWEST or not len(first):
            continue
        size = float(np.hypot(np.median(mean), np.median(std)))
        start = max(float(np.median(first)), NATURAL)
        bits = log2(max(size, 1e-30) / start)
        if bits < BITS or known is None or known.site.id != site.id:
            continue
        gain = known.now
        values = {
            "kind": "skewed" if _is_skewed(run, site.id, float(np.median(mean))) else "plain",
            "mean": float(np.median(mean)), "std": float(np.median(std)), "prediction": start,
            "ratio": size / start, "loss": known.baseline * (1 - gain), "baseline": known.baseline,
        }  # fmt: skip
        level = Level.NOTE
        if gain < 0 and run.steps >= 50:
            level = Level.SICK
        elif gain < 0 and run.steps < YOUNG and _is_far(run, site.id, size):
            level = Level.SUSPECT
        yield finding(run, site, level, values, Evidence("target.std", bits, BITS, "bits"))


def _is_skewed(run: Recording, site: int, mean: float) -> bool:
    """All targets are positive and the largest lies many means away: prices, counts, sizes."""
    low, high = run.series("target.min", site).values, run.series("target.max", site).values
    return len(low) > 0 and float(low.min()) > 0 and float(high.max()) > SKEWED * mean


def _is_far(run: Recording, site: int, size: float) -> bool:
    """At the speed of its first steps the prediction needs thousands more to reach that size."""
    seen = run.series("prediction.rms", site)
    if len(seen) < 2 * FEWEST:
        return False
    first, last = float(np.median(seen.values[:FEWEST])), float(np.median(seen.values[-FEWEST:]))
    speed = abs(last - first) / max(1, int(seen.steps[-1] - seen.steps[FEWEST - 1]))
    return size - last > MANY * speed
