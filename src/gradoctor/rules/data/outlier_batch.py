"""Single batches hold values far beyond all others."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording, Series, Steps
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.loss import loss_values
from gradoctor.rules.evidence.robust import mad, median

FAR = 20.0  # MADs beyond the median
TIMES = 10.0  # the median itself
FEW = 0.1  # of the looks: beyond that it is the data's own tail
FEWEST = 20
LEAP = 10.0  # MADs of the 20 losses before


@rule(proof="statistical", needs=("loss.value",))
def outlier_batch(run: Recording) -> Iterator[Finding]:
    """A few batches' largest input or target is ten times the usual one, and 20 MADs beyond it.

    A note; suspect when the loss leapt by 10 MADs with half of them, two at least.

    Values: kind (input or target), count, largest, usual, step, leaps
    """
    for kind, statistic in (("input", "input.absmax"), ("target", "target.max")):
        table = run.table(statistic)
        for site in table.sites:
            series = table.series(site)
            steps = _outliers(series)
            if not len(steps):
                continue
            leaps = sum(_leapt(run, int(step)) for step in steps)
            usual = median(np.abs(series.values))
            largest = float(np.nanmax(np.abs(series.values)))
            values = {
                "kind": kind, "count": len(steps), "largest": largest, "usual": usual,
                "step": int(steps[0]), "leaps": leaps,
            }  # fmt: skip
            level = Level.SUSPECT if leaps >= max(2, len(steps) / 2) else Level.NOTE
            yield Finding(
                level, (site,), int(steps[0]), int(steps[-1]), values,
                (Evidence(statistic, largest / usual, TIMES, "ratio", site),),
            )  # fmt: skip


def _outliers(series: Series) -> Steps:
    """The steps whose value lies far out; none where such values are common."""
    size = np.abs(series.values.astype(np.float64))
    if len(size) < FEWEST or not np.isfinite(size).all():
        return series.steps[:0]
    usual, spread = median(size), mad(size)
    out = (size > usual + FAR * spread) & (size > TIMES * usual) & (usual > 0)
    return series.steps[out] if 0 < out.mean() <= FEW else series.steps[:0]


def _leapt(run: Recording, step: int) -> bool:
    """The loss of that step or the one after lies far above the 20 before."""
    losses = loss_values(run)
    before = losses.values[losses.steps < step][-20:]
    here = losses.values[(losses.steps >= step) & (losses.steps <= step + 1)]
    if len(before) < 10 or not len(here):
        return False
    return bool(float(here.max()) > median(before) + LEAP * max(mad(before), 1e-12))
