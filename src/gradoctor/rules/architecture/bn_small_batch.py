"""Batch norm takes its statistics over a handful of values."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.architecture._norms import batch_norms
from gradoctor.rules.evidence import as_pairs, diverged, no_progress, stuck
from gradoctor.rules.evidence.evaluation import gap
from gradoctor.rules.evidence.exclusions import Exclusion, converged
from gradoctor.rules.evidence.loss import level
from gradoctor.rules.evidence.timing import YOUNG

FEW, HANDFUL, TWO = 8, 4, 2
FORWARDS, FIRST, STEPS = 20, 3, 200


@rule(proof="structural", needs=("fact:mode",))
def bn_small_batch(run: Recording) -> Iterator[Finding]:
    """A batch norm normalises with the mean and variance of eight values a channel or fewer.

    The count is certain; that it does harm is not, so harm decides: training makes no progress,
    evaluation is one and a half times worse than training, or with four values and fewer the loss
    is still above half of blind guessing's after 200 steps. Sick at four values with harm, suspect
    at eight; a note without. Over two values the outputs can only be plus and minus one number:
    suspect from the first forwards on, until harm can be judged. Norms over large images count
    every pixel and are not meant.

    Values: samples, count, spread, kind (harmless, two, training or evaluation)
    """
    few = [
        n for n in batch_norms(run)
        if n.samples <= FEW and int(n.fact.data.get("train") or 0) >= _enough(run, n.samples)
    ]  # fmt: skip
    if not few:
        return
    worst = min(few, key=lambda n: n.samples)
    exclusions = (converged(run),)
    harm = _harm(run, worst.samples, exclusions)
    grade = Level.NOTE
    if harm == "two":
        grade = Level.SUSPECT
    elif harm != "harmless":
        grade = Level.SICK if worst.samples <= HANDFUL else Level.SUSPECT
    yield Finding(
        grade, (worst.site.id, *(n.site.id for n in few if n is not worst)), 0,
        max(0, run.steps - 1),
        {"samples": worst.samples, "count": len(few), "spread": worst.mean_gap, "kind": harm},
        (
            Evidence("mode.samples", worst.samples, FEW, "values", worst.site.id),
            Evidence("norm.mean_gap", worst.mean_gap, 0.5, "std", worst.site.id),
        ),
        as_pairs(exclusions),
    )  # fmt: skip


def _enough(run: Recording, samples: int) -> int:
    return FIRST if run.steps < YOUNG and samples <= TWO else FORWARDS


def _harm(run: Recording, samples: int, exclusions: tuple[Exclusion, ...]) -> str:
    difference = gap(run)
    if difference is not None and difference.worse:
        return "evaluation"
    if any(e.found for e in exclusions):
        return "harmless"
    if run.steps < YOUNG and samples <= TWO:
        return "two"
    known = level(run)
    slow = samples <= HANDFUL and run.steps >= STEPS and known is not None and known.now < 0.5
    stalled = diverged(run).found or stuck(run).found or no_progress(run).found
    return "training" if stalled or slow else "harmless"
