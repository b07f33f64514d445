"""Binary cross entropy is given a sigmoid twice, targets outside 0 to 1, or exclusive classes."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.losses._calls import BATCHES, always, calls, finding

CLASSES = 3


@rule(proof="structural", needs=("fact:loss_call", "lossfn.unit"))
def bce_range(run: Recording) -> Iterator[Finding]:
    """Logits that always lie in [0, 1] because a sigmoid made them, or targets outside [0, 1].

    A note where each row of three targets or more has exactly one 1: classes that exclude each
    other, of which a softmax would know.

    Values: kind (double_sigmoid, targets or exclusive), low, high (of the targets)
    """
    for site, fact in calls(run, "binary_cross_entropy_with_logits", "binary_cross_entropy"):
        low = run.series("target.min", site.id).values
        high = run.series("target.max", site.id).values
        if len(low) < BATCHES:
            continue
        values = {"low": float(low.min()), "high": float(high.max())}
        if np.any(low < 0) or np.any(high > 1):
            beyond = values["low"] if values["low"] < 0 else values["high"]
            limit = 0.0 if values["low"] < 0 else 1.0
            evidence = Evidence("target.max" if limit else "target.min", beyond, limit)
            yield finding(run, site, Level.SICK, {"kind": "targets", **values}, evidence)
        made = str(fact.data.get("producer") or "")
        logits = fact.data.get("function") == "binary_cross_entropy_with_logits"
        squashed = made in ("sigmoid", "softmax") and always(run, "lossfn.unit", site.id, 1.0)
        if logits and squashed:
            evidence = Evidence("lossfn.unit", 1.0, 1.0, "fraction")
            yield finding(run, site, Level.SICK, {"kind": "double_sigmoid", **values}, evidence)
        shape = list(fact.data.get("target_shape") or [])
        if fact.data.get("one_hot") and len(shape) == 2 and shape[1] >= CLASSES:
            evidence = Evidence("loss_call.one_hot", shape[1], CLASSES, "")
            yield finding(run, site, Level.NOTE, {"kind": "exclusive", **values}, evidence)
