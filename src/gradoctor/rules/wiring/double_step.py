"""One gradient is used twice: by a second step, or by a second backward of the same loss."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Event, Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.timing import is_adaptive, looks
from gradoctor.rules.wiring._who import name_of

FEW, SEEN = 2, 5
SHARE = 0.2
OFTEN = 0.5


@rule(proof="structural", needs=("fact:optimizer",))
def double_step(run: Recording) -> Iterator[Finding]:
    """An optimizer steps again on the very gradients of its step before, or backward runs twice.

    Proof of a second step: the same tensors, unwritten since, and no backward nor clearing between
    the two, for a fifth of all steps; sick from five times on. Steps with a closure, and gradients
    that are written by hand, are not judged. A second backward of one loss on top of the
    first, at half of the looks, doubles the gradient: suspect, and a note where the optimizer does
    not feel the gradient's scale.

    Values: kind (step or backward), optimizer, share (of the steps), count (times seen)
    """
    for fact in run.facts_of("optimizer"):
        repeated, steps = (int(fact.data.get(k) or 0) for k in ("repeated", "steps"))
        if fact.site is None or repeated < FEW or fact.data.get("closure"):
            continue
        share, place = _again(run, fact.site)
        if share < SHARE:
            continue
        yield Finding(
            Level.SICK if repeated >= SEEN else Level.SUSPECT,
            (fact.site,), 0, max(0, run.steps - 1),
            {"kind": "step", "optimizer": name_of(run, fact.site), "share": share,
             "count": round(share * steps)},
            (Evidence("optimizer.repeated", share, SHARE, "share", fact.site),),
            file=place.file if place else None, line=place.line if place else None,
        )  # fmt: skip
        return
    for fact in run.facts_of("doubled"):
        share = fact.count / max(1, len(looks(run)))
        if fact.count < SEEN or share < OFTEN:
            continue
        yield Finding(
            Level.NOTE if is_adaptive(run) else Level.SUSPECT, (), fact.first_step, fact.last_step,
            {"kind": "backward", "optimizer": "", "share": min(1.0, share), "count": fact.count},
            (Evidence("backward.doubled", min(1.0, share), OFTEN, "share"),),
            file=fact.file, line=fact.line,
        )  # fmt: skip
        return


def _again(run: Recording, optimizer: int) -> tuple[float, Event | None]:
    """Share of its steps that came with neither backward nor clearing since the last, and where."""
    total = again = 0
    fresh, place = True, None
    for cycle in run.cycles:
        length = cycle.last_step - cycle.first_step + 1
        for times in (1, length - 1):
            for event in cycle.events if times else ():
                if event.kind in ("backward", "zero_grad", "manual_step"):
                    fresh = True
                elif event.kind == "step" and event.who == optimizer:
                    total += times
                    if not fresh:
                        again, place = again + times, event
                    fresh = False
    return again / total if total else 0.0, place
