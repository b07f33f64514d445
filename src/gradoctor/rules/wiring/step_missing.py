"""Gradients are computed and never used."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule

BACKWARDS = 20
WITHOUT = 10


@rule(proof="structural", needs=("fact:wiring",))
def step_missing(run: Recording) -> Iterator[Finding]:
    """Twenty backwards or more, and no optimizer stepped and no weight moved by hand.

    Or an optimizer steps again and again without any backward before it. Steps that a gradient
    scaler skipped count as steps.

    Values: backwards, kind (no_step or no_backward), optimizer
    """
    kinds = {e.kind for c in run.cycles for e in c.events}
    backwards = sum(
        (c.last_step - c.first_step + 1) * sum(e.kind == "backward" for e in c.events)
        for c in run.cycles
    )
    stepped = kinds & {"step", "manual_step", "scaler_step"}
    moved = any(f.data.get("moved_unowned") for f in run.facts_of("wiring"))
    if backwards >= BACKWARDS and not stepped and not moved:
        owners = [f.site for f in run.facts_of("optimizer") if f.site is not None]
        line = next((e for c in run.cycles for e in c.events if e.kind == "backward"), None)
        yield Finding(
            Level.SICK, tuple(owners), 0, max(0, run.steps - 1),
            {"backwards": backwards, "kind": "no_step",
             "optimizer": run.sites[owners[0]].name if owners else ""},
            (Evidence("backward.count", backwards, BACKWARDS, "calls"),),
            file=line.file if line else None, line=line.line if line else None,
        )  # fmt: skip
    for fact in run.facts_of("optimizer"):
        idle, steps = int(fact.data.get("steps_without_backward") or 0), fact.data.get("steps", 0)
        if idle >= WITHOUT and idle > 0.8 * steps and fact.site is not None:
            yield Finding(
                Level.SICK, (fact.site,), 0, max(0, run.steps - 1),
                {"backwards": 0, "kind": "no_backward", "optimizer": run.sites[fact.site].name},
                (Evidence("optimizer.steps_without_backward", idle, WITHOUT, "steps", fact.site),),
            )  # fmt: skip
