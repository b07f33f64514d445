"""Gradients are clipped where clipping does nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradoctor.recording import Recording
from gradoctor.records import Cycle, Event, Evidence, Finding, Level
from gradoctor.rules._rule import rule

SHARE = 0.8


@rule(proof="structural", needs=("fact:clip",))
def clip_misplaced(run: Recording) -> Iterator[Finding]:
    """In nearly every step clipping comes before backward, after the step or before unscaling.

    Or it is given tensors that have no gradient, such as an iterator that is used up.

    Values: kind (before_backward, after_step, before_unscale, nothing), steps (of which so many)
    """
    total = sum(_length(c) for c in run.cycles if _kinds(c) >= {"clip", "step"})
    for fact in run.facts_of("clip"):
        if fact.count >= 3 and not fact.data.get("grads") and fact.data.get("trainable"):
            yield _finding(run, "nothing", fact.count, total, (fact.file, fact.line))
            return
    found: dict[str, int] = {}
    lines: dict[str, tuple[str | None, int | None]] = {}
    for cycle in run.cycles:
        kind, event = _fault(cycle.events)
        if kind and event is not None:
            found[kind] = found.get(kind, 0) + _length(cycle)
            lines[kind] = (event.file, event.line)
    for kind, steps in found.items():
        if total >= 3 and steps >= SHARE * total:
            yield _finding(run, kind, steps, total, lines[kind])
            return


def _fault(events: Sequence[Event]) -> tuple[str, Event | None]:
    """What is wrong with the place of the clip in one step's order of events.

    A step's events end with the optimizer's step; a clip after it opens the next step's list.
    """
    kinds = [e.kind for e in events]
    if "clip" not in kinds or "step" not in kinds or "backward" not in kinds:
        return "", None
    clip = kinds.index("clip")
    last = len(kinds) - 1 - kinds[::-1].index("backward")
    clips = [i for i, k in enumerate(kinds) if k == "clip"]
    if max(clips) < kinds.index("backward"):
        zeroed = "zero_grad" in kinds[: kinds.index("backward")]
        first = kinds.index("zero_grad") if zeroed else len(kinds)
        return ("after_step" if zeroed and clip < first else "before_backward"), events[clip]
    unscale = [i for i, k in enumerate(kinds) if k == "unscale"]
    scaled = "scaler_step" in kinds
    if scaled and max(clips) > last and not any(i < max(clips) for i in unscale):
        return "before_unscale", events[max(clips)]
    return "", None


def _kinds(cycle: Cycle) -> set[str]:
    return {e.kind for e in cycle.events}


def _length(cycle: Cycle) -> int:
    return cycle.last_step - cycle.first_step + 1


def _finding(
    run: Recording, kind: str, steps: int, total: int, place: tuple[str | None, int | None]
) -> Finding:
    return Finding(
        Level.SICK, (), 0, max(0, run.steps - 1), {"kind": kind, "steps": steps},
        (Evidence("clip.misplaced", steps / max(1, total), SHARE, "fraction"),),
        file=place[0], line=place[1],
    )  # fmt: skip
