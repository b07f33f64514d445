"""Every gradient is cut to the same length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError, as_pairs, recent_medians, start_step
from gradoctor.rules.evidence.exclusions import adversarial, schedule_tail, warming_up
from gradoctor.rules.evidence.harm import creeps
from gradoctor.rules.evidence.robust import median
from gradoctor.rules.evidence.timing import is_adaptive
from gradoctor.rules.evidence.updates import matrices

SHARE = 0.95  # of the steps
OVER = 2.0  # norm over the bound
FEWEST = 100
TINY = 1e-4  # relative update of the liveliest weight: a rate that is too low
TENFOLD = 10.0  # what it would be without the clip, over that


@rule(proof="statistical", needs=("clip.norm", "clip.max_norm"))
def clip_always_active(run: Recording) -> Iterator[Finding]:
    """Clipping bites in nearly every step, so that it sets the step's length and the rate does not.

    Mechanism: the norm is above the bound in 95 % of the steps, and twice the bound at the median.
    An optimizer that is invariant to the gradient's scale undoes it, so nothing is said there.
    Harm: the loss is far from solved and creeps. Sick when the clip is what makes the steps tiny:
    no weight is updated by more than 1e-4 of itself, and by ten times that and more were the
    gradients let through.

    Values: share, over, bound, norm
    """
    if is_adaptive(run):
        return
    norms = run.series("clip.norm").after(start_step(run))
    bounds = run.series("clip.max_norm").after(start_step(run))
    if len(norms) < FEWEST or len(norms) != len(bounds):
        raise UndecidedError(f"too-short:{len(norms)}/{FEWEST}")
    share = float(np.mean(norms.values > bounds.values))
    over = median(norms.values / np.maximum(bounds.values, 1e-30))
    if share < SHARE or over < OVER:
        return
    exclusions = (adversarial(run), warming_up(run), schedule_tail(run))
    place = next(iter(run.facts_of("clip")), None)
    harm = creeps(run) and not any(e.found for e in exclusions)
    yield Finding(
        level=_level(run, over) if harm else Level.NOTE,
        sites=tuple(s.id for s in run.of_kind("optimizer"))[:1],
        first_step=_since(run, int(norms.steps[0])),
        last_step=int(norms.steps[-1]),
        values={
            "share": share,
            "over": over,
            "bound": median(bounds.values),
            "norm": median(norms.values),
        },
        evidence=(
            Evidence("clip.active", share, SHARE, "fraction"),
            Evidence("clip.norm", over, OVER, "ratio"),
        ),
        exclusions=as_pairs(exclusions),
        file=place.file if place else None,
        line=place.line if place else None,
    )


def _level(run: Recording, over: float) -> Level:
    updates = recent_medians(run, "update.ratio")
    largest = max((updates[w] for w in matrices(run) if w in updates), default=float("nan"))
    explained = largest < TINY and largest * over >= TENFOLD * TINY
    return Level.SICK if explained else Level.SUSPECT


def _since(run: Recording, start: int) -> int:
    """The first step, if the clip has bitten from there on; else where the rule began to look."""
    norms, bounds = run.series("clip.norm").values, run.series("clip.max_norm").values
    early = run.series("clip.norm").steps < start
    if len(norms) != len(bounds) or not early.any():
        return start
    bitten = float(np.mean(norms[early] > bounds[early])) >= SHARE
    return int(run.series("clip.norm").steps[0]) if bitten else start
