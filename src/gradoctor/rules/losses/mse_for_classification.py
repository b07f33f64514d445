"""Probabilities are compared with 0 and 1 by a squared error."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import stuck
from gradoctor.rules.evidence.loss import level
from gradoctor.rules.evidence.timing import YOUNG
from gradoctor.rules.losses._calls import BATCHES, calls, finding, usual

FLAT = 0.5
"""Slope of a sigmoid or softmax, p(1 - p), over that at the targets' own frequency."""
PATIENCE = 200


@rule(proof="structural", needs=("fact:loss_call", "prediction.rms"))
def mse_for_classification(run: Recording) -> Iterator[Finding]:
    """A squared error on what a sigmoid or softmax made, against targets of 0 and 1.

    Its gradient has the activation's slope as a factor, which is 0 where the network is sure and
    wrong. A note while it learns; sick when after 200 steps it is worse than a constant guess, or
    stuck there, with its outputs in the flat parts; suspect where it starts like that. What
    rebuilds its own input (an autoencoder) predicts no class.

    Values: kind (slow or stuck), producer, slope
    """
    for site, fact in calls(run, "mse_loss"):
        made = fact.data.get("producer")
        if made not in ("sigmoid", "softmax") or not fact.data.get("binary"):
            continue
        if fact.count < BATCHES or _rebuilds(run, fact):
            continue
        size = usual(run, "prediction.rms", site.id)
        mean = usual(run, "prediction.mean", site.id)
        share = usual(run, "target.mean", site.id)
        slope = float("nan")
        if size is not None and mean is not None and share is not None and 0 < share < 1:
            slope = max(0.0, mean - size**2) / (share * (1 - share))
        level = _level(run) if slope < FLAT else Level.NOTE
        kind = "stuck" if level > Level.NOTE else "slow"
        values = {"kind": kind, "producer": made, "slope": slope}
        yield finding(
            run, site, level, values,
            Evidence("prediction.rms", slope, FLAT, "slope"),
        )  # fmt: skip


def _level(run: Recording) -> Level:
    """Of outputs in the flat parts. Few runs start there, and worse than a guess at that."""
    known = level(run)
    worse = known is not None and known.now < 0
    if stuck(run).found or (worse and run.steps >= PATIENCE):
        return Level.SICK
    return Level.SUSPECT if worse and run.steps < YOUNG else Level.NOTE


def _rebuilds(run: Recording, fact: Fact) -> bool:
    """The target has the shape of an input, or many outputs a sample."""
    shape = list(fact.data.get("target_shape") or ())
    inputs = [list(s.meta.get("shape") or ()) for s in run.of_kind("input")]
    return len(shape) > 2 or (len(shape) == 2 and shape in inputs)
