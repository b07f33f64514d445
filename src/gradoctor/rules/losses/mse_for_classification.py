"""Probabilities are compared with 0 and 1 by a squared error."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import recent_medians, stuck
from gradoctor.rules.evidence.loss import level
from gradoctor.rules.losses._calls import BATCHES, calls, finding

FLAT = 0.5
"""Slope of a sigmoid or softmax, p(1 - p), over that at the targets' own frequency."""
PATIENCE = 200


@rule(proof="structural", needs=("fact:loss_call", "prediction.rms"))
def mse_for_classification(run: Recording) -> Iterator[Finding]:
    """A squared error on what a sigmoid or softmax made, against targets of 0 and 1.

    Its gradient has the activation's slope as a factor, which is 0 where the network is sure and
    wrong. A note while it learns; sick when after 200 steps it is worse than a constant guess, or
    stuck there, with its outputs in the flat parts. What rebuilds its own input (an autoencoder)
    predicts no class.

    Values: kind (slow or stuck), producer, slope
    """
    for site, fact in calls(run, "mse_loss"):
        made = fact.data.get("producer")
        if made not in ("sigmoid", "softmax") or not fact.data.get("binary"):
            continue
        if fact.count < BATCHES or _rebuilds(run, fact):
            continue
        size = recent_medians(run, "prediction.rms").get(site.id)
        mean = recent_medians(run, "prediction.mean").get(site.id)
        share = recent_medians(run, "target.mean").get(site.id)
        slope = float("nan")
        if size is not None and mean is not None and share is not None and 0 < share < 1:
            slope = max(0.0, mean - size**2) / (share * (1 - share))
        lost = slope < FLAT and _is_lost(run)
        values = {"kind": "stuck" if lost else "slow", "producer": made, "slope": slope}
        yield finding(
            run, site, Level.SICK if lost else Level.NOTE, values,
            Evidence("prediction.rms", slope, FLAT, "slope"),
        )  # fmt: skip


def _is_lost(run: Recording) -> bool:
    known = level(run)
    worse = known is not None and run.steps >= PATIENCE and known.now < 0
    return worse or stuck(run).found


def _rebuilds(run: Recording, fact: Fact) -> bool:
    """The target has the shape of an input, or many outputs a sample."""
    shape = list(fact.data.get("target_shape") or ())
    inputs = [list(s.meta.get("shape") or ()) for s in run.of_kind("input")]
    return len(shape) > 2 or (len(shape) == 2 and shape in inputs)
