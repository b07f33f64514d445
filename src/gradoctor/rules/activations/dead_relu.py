"""Units that are zero for every sample, and so never learn again."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording, Series
from gradoctor.records import Evidence, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import (
    as_pairs,
    diverged,
    grade,
    no_progress,
    persistence,
    recent_medians,
    stuck,
)
from gradoctor.rules.evidence.exclusions import Exclusion, converged, sparsity_without_death
from gradoctor.rules.evidence.persistence import FEWEST
from gradoctor.rules.evidence.timing import back

DEAD = 0.5  # of a layer's units
CUT = 0.95  # nothing gets through
GREW = 0.3  # since they were first counted


@rule(proof="statistical", needs=("act.dead_fraction",))
def dead_relu(run: Recording) -> Iterator[Finding]:
    """Most units of a layer are 0 for every input of a sliding window.

    Mechanism: at least half of a layer's units are dead and the share grew by .3, or .95 are (a
    layer through which nothing passes). Witness: the weights behind them get zero gradients. Harm:
    diverged, stuck, or no progress while the loss is still high. Sparse is not dead: healthy nets
    have 50-70 % zeros and few dead units.

    Values: dead, layers, total, module, grew
    """
    judged = [_judge(run, s) for s in run.of_kind("module", "op") if not s.meta.get("head")]
    ill = [j for j in judged if j is not None]
    if not ill:
        return
    ill.sort(key=lambda j: (j[1], j[0].order))  # the first to die, then the first in the network
    total = len(recent_medians(run, "act.dead_fraction"))
    worst = max(ill, key=lambda j: j[2])
    done = converged(run)
    harm = diverged(run).found or stuck(run).found or (no_progress(run).found and not done.found)
    persists = any(j[4] for j in ill)
    exclusions: tuple[Exclusion, ...] = (done, sparsity_without_death(run, worst[0].id))
    level = grade(persists=persists, harm=harm, exclusions=exclusions)
    yield Finding(
        level=level if _witnessed(run, [j[0] for j in ill]) else min(level, Level.SUSPECT),
        sites=tuple(j[0].id for j in ill),
        first_step=ill[0][1],
        last_step=max(j[5] for j in ill),
        values={
            "dead": worst[2],
            "layers": len(ill),
            "total": total,
            "module": worst[0].name,
            "grew": worst[3],
        },
        evidence=tuple(
            Evidence("act.dead_fraction", j[2], DEAD, "fraction", j[0].id) for j in ill[:5]
        ),
        exclusions=as_pairs(exclusions),
    )


Judged = tuple[Site, int, float, float, bool, int]


def _judge(run: Recording, site: Site) -> Judged | None:
    """(site, onset, dead now, growth, persists, last step), or None when it is well."""
    series = run.series("act.dead_fraction", site.id)
    if len(series) < 2:
        return None
    past = persistence(run, series, DEAD, side="above", clear=DEAD / 2)
    if not past.mechanism:
        return None
    grew = past.value - float(series.values[0])
    # a window of 20 looks that is already dead at its first count began to die 20 looks before
    born = float(series.values[0]) >= DEAD
    if past.value < CUT and grew < GREW and not (born and past.value >= 0.8):
        return None
    onset = _onset(run, site, past.first, past.value)
    return site, onset, past.value, grew, past.holds, past.last


def _onset(run: Recording, site: Site, counted: int, dead: float) -> int:
    """When the units died: the first look from which as many outputs were zero as units are dead.

    Units are only counted dead after a window of 20 looks, so the count comes late.
    """
    zeros: Series = run.series("act.zero_fraction", site.id)
    before = zeros.steps <= counted
    if not before.any():
        return back(run, counted, FEWEST)
    few = np.flatnonzero(zeros.values[before] < 0.95 * dead)
    steps = zeros.steps[before]
    return int(steps[min(int(few[-1]) + 1, len(steps) - 1)]) if len(few) else int(steps[0])


def _witnessed(run: Recording, sites: list[Site]) -> bool:
    """Gradients agree: behind dead units they are zero (unseen counts as agreeing)."""
    zeros = recent_medians(run, "actgrad.zero_fraction")
    weights = recent_medians(run, "grad.zero_fraction")
    seen = [zeros[s.id] for s in sites if s.id in zeros]
    return not (seen or weights) or max([*seen, *weights.values()]) >= DEAD / 2
