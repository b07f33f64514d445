"""Gradients of several batches are added up and the loss is not divided."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Event, Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.timing import is_adaptive

SAME = 0.05


@rule(proof="structural", needs=("backward.count", "fact:loss_call"))
def accumulation_unscaled(run: Recording) -> Iterator[Finding]:
    """The same line calls backward k times a step on a mean loss that is not divided by k.

    Several different losses in one step are not accumulation, nor are backwards between which the
    gradients are used or cleared. Adam-like optimizers do not mind the scale, and clipping takes it
    away: a note. A sum reduction means the sum is intended.

    Values: k (backwards a step), factor (of the loss that backward gets)
    """
    counts = run.series("backward.count").values
    if len(counts) < 5:
        return
    k = int(np.median(counts))
    line = _one_line(run, k)
    if k < 2 or np.mean(counts == k) < 0.8 or line is None:
        return
    for call in run.facts_of("loss_call"):
        factor = call.data.get("factor")
        if call.data.get("reduction") != "mean" or factor is None or abs(factor - 1) > SAME:
            continue
        if not _belongs(run, call, line):
            continue
        gentle = run.facts_of("clip") or is_adaptive(run)
        yield Finding(
            Level.NOTE if gentle else Level.SICK, (call.site,) if call.site is not None else (),
            0, max(0, run.steps - 1), {"k": k, "factor": factor},
            (Evidence("backward.count", k, 1, "calls"),), file=line.file, line=line.line,
        )  # fmt: skip
        return


def _one_line(run: Recording, k: int) -> Event | None:
    """The loss line that makes all k backwards in the usual order of events, None if there is none.

    The gradients of all of them are gathered: nothing steps or clears in between.
    """
    usual = max(run.cycles, key=lambda c: c.last_step - c.first_step, default=None)
    events = usual.events if usual is not None else ()
    at = [i for i, e in enumerate(events) if e.kind == "backward"]
    if len(at) != k or k < 1 or len({events[i].who for i in at}) != 1:
        return None
    between = {e.kind for e in events[at[0] : at[-1]]}
    return None if between & {"step", "scaler_step", "zero_grad"} else events[at[0]]


def _belongs(run: Recording, call: Fact, line: Event) -> bool:
    """The backwards start from this loss function, as far as that was seen."""
    site = run.sites.get(call.site) if call.site is not None else None
    loss = site.meta.get("loss") if site is not None else None
    return loss is None or line.who is None or loss == line.who
