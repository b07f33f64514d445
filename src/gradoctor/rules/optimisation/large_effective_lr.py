"""Momentum multiplies the learning rate."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import diverged, no_progress
from gradoctor.rules.evidence.exclusions import converged
from gradoctor.rules.evidence.timing import optimizers
from gradoctor.rules.evidence.updates import momentum

HIGH = 0.97


@rule(proof="structural", needs=("fact:optimizer", "loss.value"))
def large_effective_lr(run: Recording) -> Iterator[Finding]:
    """SGD's momentum is so high that each gradient is followed for more than thirty steps.

    A gradient moves the weights by lr / (1 - momentum) of itself in all. A note, where the run
    diverged or stands still: the rate that counts is that one.

    Values: momentum, lr, effective
    """
    if not diverged(run).found and (not no_progress(run).found or converged(run).found):
        return
    for optimizer in optimizers(run):
        kept, rate = momentum(optimizer), float(optimizer.meta.get("lr") or 0.0)
        damped = float(optimizer.meta.get("dampening") or 0.0)
        if optimizer.type != "SGD" or kept < HIGH or damped > 0.5:
            continue
        yield Finding(
            level=Level.NOTE,
            sites=(optimizer.id,),
            last_step=max(0, run.steps - 1),
            values={"momentum": kept, "lr": rate, "effective": rate / (1.0 - kept)},
            evidence=(Evidence("optimizer.momentum", kept, HIGH),),
        )
