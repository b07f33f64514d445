"""The losses that the script computes outside training, beside those of training."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradoctor.recording import EMPTY_SERIES, Recording, Series
from gradoctor.records import Site
from gradoctor.rules.evidence.loss import is_regression, leading_function
from gradoctor.rules.evidence.robust import median

LATEST = 3
"""Passes at the end whose median is how evaluation ended."""


class Evaluation(NamedTuple):
    """One place that evaluates with the loss function of training.

    Attributes:
        losses: mean loss of each pass.
        accuracy: share of right answers in each pass; empty where that is not known.
        samples: of a pass, usually.
    """

    site: Site
    losses: Series
    accuracy: Series
    samples: float

    @property
    def last(self) -> float:
        """The loss that evaluation ended with."""
        return median(self.losses.values[-LATEST:])


def evaluations(run: Recording) -> tuple[Evaluation, ...]:
    """The places that evaluate with the function that training minimises, in order of sites."""
    return run.derive("evaluations", _evaluations)


def _evaluations(run: Recording) -> tuple[Evaluation, ...]:
    trained = leading_function(run)
    if trained is None:
        return ()
    function = trained.meta.get("function")
    table = run.table("eval.loss")
    found = []
    for number in table.sites:
        site, losses = run.sites.get(number), table.series(number)
        if site is None or site.meta.get("function") != function:
            continue
        kept = np.isfinite(losses.values)
        samples = median(run.series("eval.samples", number).values)
        losses = Series(losses.steps[kept], losses.values[kept])
        found.append(Evaluation(site, losses, run.series("eval.accuracy", number), samples))
    return tuple(found)


def training_loss(run: Recording) -> Series:
    """The leading loss function in training: at every step where its part in the loss is known.

    Elsewhere at the looks only.
    """
    site = leading_function(run)
    if site is None:
        return EMPTY_SERIES
    seen = run.series("lossfn.value", site.id)
    fact = next(iter(run.facts_of("loss_call", site.id)), None)
    factor, root = (fact.data.get("factor") if fact else None), site.meta.get("loss")
    if not factor or root is None or site.meta.get("reduction") == "sum":
        return seen
    every = run.series("loss.value", root)
    return Series(every.steps, every.values / np.float32(factor))


class Gap(NamedTuple):
    """How far evaluation is behind training at the end.

    Attributes:
        evaluated, trained: medians of the last passes, and of training's loss meanwhile.
        ratio: evaluated / trained.
        baseline: loss of the best constant prediction, NaN where unknown.
    """

    site: Site
    evaluated: float
    trained: float
    ratio: float
    baseline: float
    since: int

    @property
    def bad(self) -> bool:
        """Twice the loss of training, and no better than half way from the baseline."""
        return self.ratio >= 2.0 and not self.evaluated < 0.5 * self.baseline

    @property
    def worse(self) -> bool:
        """One and a half times the loss of training."""
        return self.ratio >= 1.5 and not self.evaluated < 0.25 * self.baseline


def gap(run: Recording) -> Gap | None:
    """The gap between evaluation and training; None where evaluation was not seen three times.

    Of several places the best one counts: where training data itself is evaluated without loss,
    neither mode nor preprocessing is at fault.
    """
    return run.derive("evaluation_gap", _gap)


def _gap(run: Recording) -> Gap | None:
    trained, site = training_loss(run), leading_function(run)
    if site is None or not len(trained):
        return None
    base = run.series("lossfn.baseline", site.id).values
    baseline = float(base[-1]) if len(base) else float("nan")
    found = []
    for place in evaluations(run):
        if len(place.losses) < LATEST:
            continue
        since = int(place.losses.steps[-LATEST])
        before = int(place.losses.steps[-LATEST - 1]) if len(place.losses) > LATEST else 0
        during = trained.after(max(before, since // 2)).values
        if not len(during):
            continue
        meanwhile = max(median(during), 1e-12)
        found.append(
            Gap(place.site, place.last, meanwhile, place.last / meanwhile, baseline, since)
        )
    return min(found, key=lambda g: g.evaluated, default=None)


def regresses(run: Recording) -> bool:
    """Training minimises a distance, not the loss of a classification."""
    site = leading_function(run)
    return site is not None and is_regression(site)
