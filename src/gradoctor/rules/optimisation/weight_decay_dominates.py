"""Weight decay pulls harder than the gradient."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, no_progress, recent_medians, start_step
from gradoctor.rules.evidence.exclusions import adversarial, converged, schedule_tail
from gradoctor.rules.evidence.loss import level
from gradoctor.rules.evidence.robust import median, theil_sen
from gradoctor.rules.evidence.timing import optimizers
from gradoctor.rules.evidence.updates import matrices, momentum

HALF = 0.5  # of the matrices; of the speed of decay alone
SHRINK = 0.01  # of a matrix in 100 steps
POOR = 0.5


@rule(proof="statistical", needs=("update.decay_rms", "update.rms", "weight.rms"))
def weight_decay_dominates(run: Recording) -> Iterator[Finding]:
    """In more than half of the matrices decay takes away more than the gradient adds.

    Mechanism: there the decay of a step is larger than the gradient's part of it, and the weights
    shrink by more than 1 % in 100 steps. Momentum piles up the decay of many steps, and the step's
    two parts cannot be told apart: there the weights shrink at half the speed or more that decay
    alone would give. An equilibrium, where both are equal and the norm stays, is how normalised
    networks train. Harm: the loss is far from solved and makes no progress.

    Values: share, ratio, shrink, decay
    """
    decay, update = recent_medians(run, "update.decay_rms"), recent_medians(run, "update.rms")
    chosen = [m for m in matrices(run) if m in decay and m in update]
    parts = {m: max(decay[m] / max(update[m], 1e-30), _pull(run, m)) for m in chosen}
    over = {m: min(ratio, 1e6) for m, ratio in parts.items() if ratio > 1}
    shrinking = {m: s for m in over if (s := _shrinkage(run, m)) > SHRINK}
    if not chosen or len(shrinking) <= HALF * len(chosen):
        return
    exclusions = (adversarial(run), converged(run), schedule_tail(run))
    if any(e.found for e in exclusions):
        return
    known = level(run)
    harm = no_progress(run).found and known is not None and known.now < POOR
    worst = max(shrinking, key=lambda m: over[m])
    settings = [s.meta.get("weight_decay") for s in run.of_kind("optimizer")]
    yield Finding(
        level=Level.SUSPECT if harm else Level.NOTE,
        sites=(*(s.id for s in run.of_kind("optimizer")[:1]), worst),
        first_step=start_step(run),
        last_step=max(0, run.steps - 1),
        values={
            "share": len(shrinking) / len(chosen),
            "ratio": median(list(over.values())),
            "shrink": median(list(shrinking.values())),
            "decay": float(next((d for d in settings if d), float("nan"))),
        },
        evidence=(
            Evidence("update.decay_rms", median(list(over.values())), 1.0, "ratio"),
            Evidence("weight.rms", median(list(shrinking.values())), SHRINK, "of itself/100 steps"),
        ),
        exclusions=as_pairs(exclusions),
    )


def _pull(run: Recording, site: int) -> float:
    """Decay over the gradient, told by how fast a weight shrinks under SGD with momentum; or 0.

    There decay alone would take ``lr * decay / (1 - momentum)`` of the weight in each step.
    """
    kept = max((momentum(o) for o in optimizers(run) if not o.meta.get("adaptive")), default=0.0)
    decay, size = run.series("update.decay_rms", site), run.series("weight.rms", site)
    if not kept or len(decay) != len(size) or not len(size):
        return 0.0
    alone = median(decay.values / np.maximum(size.values, 1e-30)) / (1.0 - kept)
    seen = -_slope(run, site)
    return alone / max(alone - seen, 1e-3 * alone) if alone > 0 and seen > HALF * alone else 0.0


def _shrinkage(run: Recording, site: int) -> float:
    """Share of a weight's size that goes in 100 steps."""
    return float(1.0 - np.exp(100.0 * _slope(run, site)))


def _slope(run: Recording, site: int) -> float:
    """By which a weight's log size changes in a step."""
    sizes = run.series("weight.rms", site).after(start_step(run))
    if len(sizes) < 8:
        return 0.0
    return theil_sen(sizes.steps, np.log(np.maximum(sizes.values, 1e-30))).slope
