"""Evaluation gets worse while training gets better."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gradoctor.recording import Floats, Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError, as_pairs
from gradoctor.rules.evidence.evaluation import (
    LATEST,
    Evaluation,
    evaluations,
    regresses,
    training_loss,
)
from gradoctor.rules.evidence.exclusions import Exclusion, adversarial
from gradoctor.rules.evidence.loss import leading_function
from gradoctor.rules.evidence.robust import bootstrap_difference, mad, median, theil_sen

PASSES = 8
AFTER = 5  # passes after the best one
PAST = 0.25  # of the run that they cover
CERTAIN = 2.0  # standard errors of the trend
NOTED, RISE, GRAVE = 0.1, 0.2, 0.5  # of the best loss
SHARE, GRAVE_SHARE = 0.05, 0.15  # of the baseline
FELL = 0.02  # of the accuracy


@rule(proof="statistical", needs=("loss.value",))
def overfitting(run: Recording) -> Iterator[Finding]:
    """The evaluation loss had its best long ago and has risen since, while training's loss fell.

    A gap between the two is no sign: dropout and augmentation make one. Where the share of right
    answers has not fallen with it the network is only too sure of itself: a note. So it is where
    the script kept the model at its best. Sick from half of the best loss on.

    Values: kind (overfit or overconfident), best, last, rise, best_step, accuracy_best,
    accuracy_last
    """
    places = [p for p in evaluations(run) if len(p.losses)]
    if not places:
        raise UndecidedError("no-evaluation")
    if adversarial(run).found:
        raise UndecidedError(adversarial(run).name)
    longest = max(len(p.losses) for p in places)
    if longest < PASSES:
        raise UndecidedError(f"few-evaluations:{longest}/{PASSES}")
    risen = [(p, r) for p in places if (r := _rise(run, p)) is not None]
    if not risen:
        return
    place, rise = max(risen, key=lambda pair: pair[1].relative)
    if rise.relative < NOTED:
        return
    exclusions = (_kept_best(run, rise),)
    yield Finding(
        _level(run, rise, exclusions), (place.site.id,), rise.best_step,
        int(place.losses.steps[-1]), _values(rise),
        (
            Evidence("eval.loss", rise.last, rise.best, "loss", place.site.id),
            Evidence("loss.value", rise.trained, 0.0, "fall"),
        ),
        as_pairs(exclusions),
    )  # fmt: skip


class Rise(NamedTuple):
    """How the evaluation loss went on after its best."""

    best: float
    best_step: int
    next_step: int
    last: float
    trained: float
    accuracy_best: float
    accuracy_last: float
    fell: bool | None

    @property
    def relative(self) -> float:
        """The rise as a share of the best loss."""
        return (self.last - self.best) / max(abs(self.best), 1e-12)


def _rise(run: Recording, place: Evaluation) -> Rise | None:
    """The rise after the best pass; None where it may be chance, or training did not go on."""
    steps, losses = place.losses.steps, place.losses.values
    if len(losses) < PASSES:
        return None
    smooth = np.array([median(losses[max(0, i - 1) : i + 2]) for i in range(len(losses))])
    best = int(np.argmin(smooth))
    after = np.arange(best, len(losses))
    if len(after) <= AFTER or steps[-1] - steps[best] < PAST * steps[-1]:
        return None
    line = theil_sen(after, losses[best:])
    scatter = mad(losses[best:] - line.slope * after - line.intercept)
    climb = line.slope * (len(after) - 1)
    last = median(losses[-LATEST:])
    if line.slope <= 0 or _kendall(losses[best:]) < CERTAIN or climb < CERTAIN * scatter:
        return None
    fall = _training_fell(run, int(steps[best]))
    if fall <= 0:
        return None
    known = place.accuracy.values
    counted = len(known) >= PASSES
    top, end = (_top(known), median(known[-LATEST:])) if counted else (float("nan"), float("nan"))
    doubt = np.sqrt(max(top * (1 - top), 1e-4) / max(place.samples, 1.0))
    fell = None if np.isnan(top) else bool(top - end > max(FELL, CERTAIN * doubt))
    following = int(steps[min(best + 2, len(steps) - 1)])
    return Rise(
        float(smooth[best]), int(steps[best]), following, last, fall, float(top), float(end), fell
    )


def _top(accuracy: Floats) -> float:
    return max(median(accuracy[i : i + LATEST]) for i in range(len(accuracy) - LATEST + 1))


def _kendall(values: Floats) -> float:
    """Kendall's rank correlation with time, in its own standard errors."""
    n = len(values)
    signs = np.sign(values[None, :] - values[:, None])
    score = float(np.triu(signs, 1).sum())
    return score / float(np.sqrt(n * (n - 1) * (2 * n + 5) / 18.0))


def _training_fell(run: Recording, step: int) -> float:
    """What training's loss has certainly fallen by since the evaluation was at its best."""
    losses = training_loss(run)
    before = losses.values[losses.steps <= step]
    near = before[-max(10, len(before) // 3) :]
    later = losses.values[losses.steps > step]
    low, _ = bootstrap_difference(near, later[-max(10, len(later) // 3) :])
    return low


def _kept_best(run: Recording, rise: Rise) -> Exclusion:
    """``state_dict()`` was called last when the evaluation was at its best."""
    latest = max((f.last_step for f in run.facts_of("checkpoint")), default=-1)
    return Exclusion("kept-best", 0 <= latest <= rise.next_step)


def _level(run: Recording, rise: Rise, exclusions: tuple[Exclusion, ...]) -> Level:
    site = leading_function(run)
    base = run.series("lossfn.baseline", site.id).values if site is not None else np.empty(0)
    scale = float(base[-1]) if len(base) and base[-1] > 0 else abs(rise.best)
    share = (rise.last - rise.best) / max(scale, 1e-12)
    if rise.fell is False or any(e.found for e in exclusions):
        return Level.NOTE
    witnessed = rise.fell or regresses(run) or rise.last >= scale
    if rise.relative >= GRAVE and share >= GRAVE_SHARE and witnessed:
        return Level.SICK
    return Level.SUSPECT if rise.relative >= RISE and share >= SHARE else Level.NOTE


def _values(rise: Rise) -> dict[str, object]:
    return {
        "kind": "overconfident" if rise.fell is False else "overfit",
        "best": rise.best, "last": rise.last, "rise": rise.relative, "best_step": rise.best_step,
        "accuracy_best": rise.accuracy_best, "accuracy_last": rise.accuracy_last,
    }  # fmt: skip
