"""Layers of one kind learn at rates that are decades apart."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, recent_medians, start_step
from gradoctor.rules.evidence.exclusions import adversarial, schedule_tail, zero_init_escape
from gradoctor.rules.evidence.updates import matrices

SPREAD = 3.0  # decades
FEWEST = 4


@rule(proof="statistical", needs=("update.ratio",))
def update_ratio_imbalance(run: Recording) -> Iterator[Finding]:
    """The relative updates of matrices of one kind differ by more than a factor of a thousand.

    A symptom that has several causes, so never more than a note: a gradient that vanishes, an
    epsilon that dominates, a learning rate of its own for a group.

    Values: decades, fastest, slowest
    """
    updates = recent_medians(run, "update.ratio")
    groups: dict[str, list[int]] = {}
    for m in matrices(run):
        if updates.get(m, 0.0) > 0:
            groups.setdefault(str(run.sites[m].meta.get("role")), []).append(m)
    exclusions = (adversarial(run), schedule_tail(run), zero_init_escape(run))
    for sites in groups.values():
        ordered = sorted(sites, key=lambda m: updates[m])
        decades = float(np.log10(updates[ordered[-1]] / updates[ordered[0]]))
        if len(sites) < FEWEST or decades <= SPREAD or any(e.found for e in exclusions):
            continue
        yield Finding(
            level=Level.NOTE,
            sites=(ordered[0], ordered[-1]),
            first_step=start_step(run),
            last_step=max(0, run.steps - 1),
            values={
                "decades": decades,
                "fastest": run.sites[ordered[-1]].name,
                "slowest": run.sites[ordered[0]].name,
            },
            evidence=(Evidence("update.ratio", decades, SPREAD, "decades"),),
            exclusions=as_pairs(exclusions),
        )
        return
