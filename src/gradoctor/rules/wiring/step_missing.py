"""Gradients are computed and never used, or cleared before their use."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Cycle, Event, Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.harm import diverged
from gradoctor.rules.evidence.timing import is_final
from gradoctor.rules.wiring._who import first_event, name_of

BACKWARDS = 20
PATIENCE = 512
"""While the run goes on: as many micro-batches as anyone gathers before a step."""
WITHOUT = 10
DISCARDED = 8
"""Backwards thrown away for each that is used: two-step methods throw away one."""
MOST = 0.8


@rule(proof="structural", needs=("fact:wiring",))
def step_missing(run: Recording) -> Iterator[Finding]:
    """Twenty backwards or more, and no optimizer stepped and no weight moved by hand.

    While the run goes on the gradients may still be gathering for one large step, unless they are
    cleared unused. A script without any optimizer may want the gradients themselves (attacks,
    saliency): a suspicion. Or an optimizer steps again and again without a backward since its last
    step and without gradients from elsewhere. Steps that a gradient scaler skipped count as steps.
    Or the only optimizer's gradients are cleared between backward and step: always, so that it
    steps on nothing (too_soon: its step comes before the backward), or after all backwards but the
    last, which nobody has read or written to.

    Or backwards cease in mid-run while the steps go on, to the end.

    Values: backwards, kind (no_step, no_backward, ceased, cleared, too_soon or discarded),
    optimizer
    """
    yield from _no_step(run)
    yield from _cleared(run)
    yield from _ceased(run)
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


def _cleared(run: Recording) -> Iterator[Finding]:
    owners = [f for f in run.facts_of("optimizer") if int(f.data.get("steps") or 0) > 0]
    if len(owners) != 1 or owners[0].site is None or owners[0].data.get("closure"):
        return
    owner, site, steps = owners[0], owners[0].site, int(owners[0].data.get("steps") or 0)
    stepping = [c for c in run.cycles if any(e.kind == "step" for e in c.events)]
    counts = [(c.last_step - c.first_step + 1, *_thrown_away(c, site)) for c in stepping]
    total = sum(length for length, _, _ in counts)
    emptied = sum(length for length, _, empty in counts if empty)
    wasteful = sum(length for length, n, empty in counts if n >= DISCARDED and not empty)
    looks = min(steps, len(run.table("grad.norm").steps))
    untouched = int(owner.data.get("untouched") or 0)
    if emptied >= MOST * total and emptied >= WITHOUT and not _gradients(run, site):
        kind, number = "cleared", steps
    elif wasteful >= MOST * total and wasteful >= 2 and untouched >= MOST * max(1, looks):
        kind, number = "discarded", sum(length * n for length, n, _ in counts)
    else:
        return
    early = _before_any_backward(run, site) if kind == "cleared" else None
    place, kind = (early, "too_soon") if early else (_clearing(run), kind)
    yield Finding(
        Level.SICK, (site,), 0, max(0, run.steps - 1),
        {"backwards": number, "kind": kind, "optimizer": name_of(run, owner.site)},
        (Evidence("backward.discarded", number, 0, "calls"),),
        file=place.file if place else None, line=place.line if place else None,
    )  # fmt: skip


def _ceased(run: Recording) -> Iterator[Finding]:
    """The last steps, 20 and a tenth of the run or more, had no backward, and the first ones had.

    Not judged where a gradient was seen all the same, or where the loss is no longer finite.
    """
    last = max((c.last_step for c in run.cycles if _kinds(c) & {"backward"}), default=-1)
    idle = [c for c in run.cycles if c.first_step > last and _kinds(c) & {"step"}]
    count = sum(c.last_step - c.first_step + 1 for c in idle)
    if last < WITHOUT or count < max(BACKWARDS, 0.1 * run.steps) or not is_final(run):
        return
    if run.series("grad.norm").after(last + 1).values.any() or diverged(run).why == "non-finite":
        return
    step = next(e for e in idle[0].events if e.kind == "step")
    who = tuple(s for s in (step.who,) if s is not None)
    yield Finding(
        Level.SICK, who, last + 1, max(0, run.steps - 1),
        {"backwards": 0, "kind": "ceased", "optimizer": name_of(run, step.who)},
        (Evidence("optimizer.steps_without_backward", count, BACKWARDS, "steps"),),
        file=step.file, line=step.line,
    )  # fmt: skip


def _kinds(cycle: Cycle) -> set[str]:
    return {e.kind for e in cycle.events}


def _thrown_away(cycle: Cycle, owner: int | None) -> tuple[int, bool]:
    """Backwards whose gradients were cleared unused, and whether the step came after a clearing."""
    pending = wasted = 0
    empty = False
    for event in cycle.events:
        if event.kind == "backward":
            pending += 1
        elif event.kind == "zero_grad" and event.who in (owner, None):
            wasted, pending = wasted + pending, 0
        elif event.kind in ("step", "scaler_step"):
            empty = empty or not pending
            pending = 0
    return wasted, empty and wasted > 0


def _clearing(run: Recording) -> Event | None:
    """The clearing that comes after a backward."""
    usual = max(run.cycles, key=lambda c: c.last_step - c.first_step, default=None)
    events = usual.events if usual is not None else ()
    after = [i for i, e in enumerate(events) if e.kind == "backward"]
    return next((e for e in events[after[0] :] if e.kind == "zero_grad"), None) if after else None


def _before_any_backward(run: Recording, owner: int) -> Event | None:
    """The optimizer's very first step, where it is called and no backward came before it.

    In a loop that clears, steps, and goes backward the step stands in the wrong place; in one that
    goes backward, clears, and steps it is the clearing.
    """
    first = min(run.cycles, key=lambda c: c.first_step, default=None)
    for event in first.events if first is not None else ():
        if event.kind == "backward":
            return None
        if event.kind == "step" and event.who == owner:
            return event
    return None


def _gradients(run: Recording, optimizer: int) -> bool:
    """Some parameter that the optimizer holds was seen with a gradient at a step."""
    held = (f.site for f in run.facts_of("wiring") if f.data.get("optimizer") == optimizer)
    return any(run.series("grad.absmax", s).values.any() for s in held if s is not None)


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
    return _gradients(run, optimizer)
