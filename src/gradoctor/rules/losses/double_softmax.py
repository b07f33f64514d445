"""Cross entropy is given probabilities."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.losses._calls import always, calls, finding, where_made


@rule(proof="structural", needs=("fact:loss_call", "lossfn.simplex"))
def double_softmax(run: Recording) -> Iterator[Finding]:
    """Every row that cross entropy got lies in [0, 1] and sums to 1, in every batch.

    Or a sigmoid made its input, so that all of it lies in [0, 1]. log-softmax before cross entropy
    is harmless and looks different (no value above 0).

    Values: classes, floor (lowest loss that can be reached), producer
    """
    for site, fact in calls(run, "cross_entropy"):
        classes = fact.data.get("classes") or 0
        made = str(fact.data.get("producer") or "")
        simplex = always(run, "lossfn.simplex", site.id, 1.0)
        squashed = made == "sigmoid" and always(run, "lossfn.unit", site.id, 1.0)
        if classes < 2 or not (simplex or squashed):
            continue
        values = {
            "classes": classes, "floor": math.log(1 + (classes - 1) / math.e), "producer": made,
        }  # fmt: skip
        found = finding(
            run, site, Level.SICK, values, Evidence("lossfn.simplex", 1.0, 1.0, "fraction")
        )
        file, line = where_made(fact, site)
        yield replace(found, file=file, line=line)
