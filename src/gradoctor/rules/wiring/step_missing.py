"""Gradients are computed and never used."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.timing import is_final
from gradoctor.rules.wiring._who import first_event, name_of

BACKWARDS = 20
PATIENCE = 512
"""While the run goes on: as many micro-batches as anyone gathers before a step."""
WITHOUT = 10


@rule(proof="structural", needs=("fact:wiring",))
def step_missing(run: Recording) -> Iterator[Finding]:
    """Twenty backwards or more, and no optimizer stepped and no weight moved by hand.

    While the run goes on the gradients may still be gathering for one large step, unless they are
    cleared unused. A script without any optimizer may want the gradients themselves (attacks,
    saliency): a suspicion. Or an optimizer steps again and again without a backward since its last
    step and without gradients from elsewhere. Steps that a gradient scaler skipped count as steps.

    Values: backwards, kind (no_step or no_backward), optimizer
    """
    yield from _no_step(run)
    for fact in run.facts_of("optimizer"):
        idle = int(fact.data.get("steps_without_backward") or 0)
        steps = int(fact.data.get("steps") or 0)
        if idle < WITHOUT or idle <= 0.8 * steps or fact.site is None:
            continue
        if fact.data.get("closure") or _has_gradients(run, fact.site):
            continue
        yield Finding(
            Level.SICK, (fact.site,), 0, max(0, run.steps - 1),
            {"backwards": 0, "kind": "no_backward", "optimizer": name_of(run, fact.site)},
            (Evidence("optimizer.steps_without_backward", idle, WITHOUT, "steps", fact.site),),
        )  # fmt: skip


def _no_step(run: Recording) -> Iterator[Finding]:
    backwards = cleared = 0
    for cycle in run.cycles:
        kinds = [e.kind for e in cycle.events]
        if {"step", "manual_step", "scaler_step"} & set(kinds):
            return
        length = cycle.last_step - cycle.first_step + 1
        backwards += length * kinds.count("backward")
        cleared += length * kinds.count("zero_grad")
    needed = BACKWARDS if is_final(run) or cleared >= BACKWARDS else PATIENCE
    if backwards < needed or any(f.data.get("moved_unowned") for f in run.facts_of("wiring")):
        return
    owners = tuple(f.site for f in run.facts_of("optimizer") if f.site is not None)
    line = first_event(run, "backward")
    yield Finding(
        Level.SICK if owners else Level.SUSPECT, owners, 0, max(0, run.steps - 1),
        {"backwards": backwards, "kind": "no_step",
         "optimizer": name_of(run, owners[0]) if owners else ""},
        (Evidence("backward.count", backwards, BACKWARDS, "calls"),),
        file=line.file if line else None, line=line.line if line else None,
    )  # fmt: skip


def _has_gradients(run: Recording, optimizer: int) -> bool:
    """A backward came since its last step, or its parameters have gradients all the same.

    Two optimizers that share one backward (encoder and decoder) each step on it, and gradients may
    be written by hand.
    """
    since = False
    for cycle in run.cycles:
        for event in cycle.events:
            if event.kind == "backward":
                since = True
            elif event.kind == "step" and event.who == optimizer:
                if since and cycle.last_step > cycle.first_step:
                    return True
                since = False
    held = (f.site for f in run.facts_of("wiring") if f.data.get("optimizer") == optimizer)
    return any(run.series("grad.absmax", s).values.any() for s in held if s is not None)
