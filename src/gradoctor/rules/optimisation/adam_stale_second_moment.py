"""Adam's second moment lags behind a gradient that has grown."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, start_step
from gradoctor.rules.evidence.depth import columns
from gradoctor.rules.evidence.exclusions import adversarial
from gradoctor.rules.evidence.spikes import AFTER, loss_spikes
from gradoctor.rules.evidence.updates import matrices

SURPRISE = 2.3  # root of the mean of g^2 / v
MANY = 3


@rule(proof="statistical", needs=("moment.surprise", "loss.value"))
def adam_stale_second_moment(run: Recording) -> Iterator[Finding]:
    """Just before the loss jumps, some matrix gets gradients far larger than Adam remembers.

    Mechanism: the root of the mean of g^2 / v is 2.3 or more within the ten steps before a jump of
    the loss. Three such jumps are suspect, fewer a note.

    Values: count, surprise, step, beta2
    """
    chosen = matrices(run)
    values = columns(run, "moment.surprise", chosen)
    steps = run.table("moment.surprise").steps
    found = []
    for spike in loss_spikes(run):
        near = (steps >= spike.first - AFTER) & (steps <= spike.first + 2)
        rows = values[near & (steps >= start_step(run))]
        if rows.size and np.isfinite(rows).any() and float(np.nanmax(rows)) >= SURPRISE:
            worst = int(np.unravel_index(np.nanargmax(rows), rows.shape)[1])
            found.append((float(np.nanmax(rows)), spike.first, chosen[worst]))
    if not found:
        return
    exclusions = (adversarial(run),)
    highest = max(found)
    many = len(found) >= MANY and not exclusions[0].found
    betas = next((s.meta["betas"] for s in run.of_kind("optimizer") if s.meta.get("betas")), None)
    yield Finding(
        level=Level.SUSPECT if many else Level.NOTE,
        sites=(highest[2],),
        first_step=found[0][1],
        last_step=found[-1][1],
        values={
            "count": len(found),
            "surprise": highest[0],
            "step": highest[1],
            "beta2": float(betas[1]) if betas else float("nan"),
        },
        evidence=(Evidence("moment.surprise", highest[0], SURPRISE, "ratio", highest[2]),),
        exclusions=as_pairs(exclusions),
    )
