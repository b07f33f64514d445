"""The loss passes over targets that it should count, or over all of a batch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import worst_outcome
from gradoctor.rules.losses._calls import BATCHES, calls, finding

NEARLY_ALL = 0.99
RARE = 0.01
COMMON = 0.3
"""Share of the ignored class, in units of 1/K, from which on it is a class like the others."""


@rule(proof="structural", needs=("target.ignored",))
def ignored_targets(run: Recording) -> Iterator[Finding]:
    """A batch whose targets are all ``ignore_index``: its mean is 0/0, which is NaN.

    Sick where such losses are more than one in a hundred; the weights need not suffer from it.
    Besides: more than 99 % of all targets are passed over (suspect where the loss is stuck, else a
    note: the answer may be one token in hundreds); ``ignore_index`` is one of the classes of a
    classifier of whole samples (suspect: padding has no place there).

    Values: kind (empty_batch, nearly_all or class), ignored (share), index, batches
    """
    for site, fact in calls(run, "cross_entropy", "nll_loss"):
        series = run.series("target.ignored", site.id)
        if not len(series):
            continue
        share = float(np.mean(series.values))
        empty = [int(s) for s in series.steps[series.values >= 1.0] if _is_nan(run, int(s))]
        values = {"ignored": share, "index": fact.data.get("ignore_index"), "batches": len(empty)}
        evidence = Evidence("target.ignored", share, NEARLY_ALL, "fraction")
        if empty:
            level = Level.SICK if _nan_steps(run) >= max(2, RARE * run.steps) else Level.SUSPECT
            told = finding(
                run, site, level, {"kind": "empty_batch", **values},
                Evidence("target.ignored", 1.0, 1.0, "fraction"),
            )  # fmt: skip
            yield replace(told, first_step=empty[0])
        elif len(series) >= BATCHES and share > NEARLY_ALL:
            level = Level.SUSPECT if worst_outcome(run).found else Level.NOTE
            yield finding(run, site, level, {"kind": "nearly_all", **values}, evidence)
        elif len(series) >= BATCHES and _is_a_class(run, fact, share):
            yield finding(run, site, Level.SUSPECT, {"kind": "class", **values}, evidence)


def _nan_steps(run: Recording) -> int:
    return sum(int((run.series("loss.nonfinite", s.id).values > 0).sum()) for s in _losses(run))


def _is_nan(run: Recording, step: int) -> bool:
    """The loss of that step was NaN, and not that of the step before."""
    for site in _losses(run):
        codes = run.series("loss.nonfinite", site.id)
        bad = {int(s) for s in codes.steps[codes.values > 0]}
        if step in bad and step - 1 not in bad:
            return True
    return False


def _losses(run: Recording) -> tuple[Site, ...]:
    return run.of_kind("loss")


def _is_a_class(run: Recording, fact: Fact, share: float) -> bool:
    """One label a sample, float inputs, and as many ignored as a class of K has."""
    index, classes = fact.data.get("ignore_index"), int(fact.data.get("classes") or 0)
    if not isinstance(index, int) or not 0 <= index < classes or classes < 2:
        return False
    shape = list(fact.data.get("target_shape") or ())
    inputs = run.of_kind("input")
    floats = bool(inputs) and all(s.meta.get("kind") == "float" for s in inputs)
    rows = {int(s.meta["shape"][0]) for s in inputs if s.meta.get("shape")}
    single = len(shape) == 1 and (not rows or int(shape[0]) <= max(rows))
    return floats and single and COMMON / classes <= share <= 0.5
