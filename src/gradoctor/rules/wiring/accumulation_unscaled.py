"""Gradients of several batches are added up and the loss is not divided."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.timing import is_adaptive

SAME = 0.05


@rule(proof="structural", needs=("backward.count", "fact:loss_call"))
def accumulation_unscaled(run: Recording) -> Iterator[Finding]:
    """The same line calls backward k times a step on a mean loss that is not divided by k.

    Several different losses in one step are not accumulation. Adam-like optimizers do not mind the
    scale: a note. A sum reduction means the sum is intended.

    Values: k (backwards a step), factor (of the loss that backward gets)
    """
    counts = run.series("backward.count").values
    if len(counts) < 5:
        return
    k = int(np.median(counts))
    if k < 2 or np.mean(counts == k) < 0.8 or not _one_line(run, k):
        return
    for call in run.facts_of("loss_call"):
        factor = call.data.get("factor")
        if call.data.get("reduction") != "mean" or factor is None or abs(factor - 1) > SAME:
            continue
        if run.facts_of("clip"):
            level = Level.NOTE
        else:
            level = Level.NOTE if is_adaptive(run) else Level.SICK
        line = next(e for c in run.cycles for e in c.events if e.kind == "backward")
        yield Finding(
            level, (call.site,) if call.site is not None else (), 0, max(0, run.steps - 1),
            {"k": k, "factor": factor},
            (Evidence("backward.count", k, 1, "calls"),), file=line.file, line=line.line,
        )  # fmt: skip
        return


def _one_line(run: Recording, k: int) -> bool:
    """In the usual order of events one loss line makes all k backwards."""
    usual = max(run.cycles, key=lambda c: c.last_step - c.first_step, default=None)
    if usual is None:
        return False
    lines = [e.who for e in usual.events if e.kind == "backward"]
    return len(lines) == k and len(set(lines)) == 1
