"""Gradients are clipped where clipping does nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gradoctor.recording import Recording
from gradoctor.records import Cycle, Event, Evidence, Finding, Level
from gradoctor.rules._rule import rule

SHARE = 0.8
UNREACHED = 1e6


@rule(proof="structural", needs=("fact:clip",))
def clip_misplaced(run: Recording) -> Iterator[Finding]:
    """In nearly every step clipping comes before backward, after the step or before unscaling.

    Or it is given tensors that have no gradient, such as an iterator that is used up. A bound that
    nothing reaches only measures the norm, and a scaler that is switched off scales nothing.

    Values: kind (before_backward, after_step, before_unscale, nothing), steps (of which so many)
    """
    total = sum(_length(c) for c in run.cycles if _kinds(c) >= {"clip", "step"})
    scaled, measuring = _is_scaled(run), _measuring_lines(run)
    found: dict[str, int] = {}
    lines: dict[str, tuple[str | None, int | None]] = {}
    for cycle in run.cycles:
        events = [e for e in cycle.events if e.kind != "clip" or (e.file, e.line) not in measuring]
        kind, event = _fault(events, scaled=scaled)
        if kind and event is not None:
            found[kind] = found.get(kind, 0) + _length(cycle)
            lines[kind] = (event.file, event.line)
    for kind, steps in found.items():
        if total >= 3 and steps >= SHARE * total:
            yield _finding(run, kind, steps, total, lines[kind])
            return
    norms = run.series("clip.norm").values
    if norms.any():
        return  # some clipping bites
    for fact in run.facts_of("clip"):
        if fact.count >= 3 and not fact.data.get("grads") and fact.data.get("trainable"):
            yield _finding(run, "nothing", fact.count, total, (fact.file, fact.line))
            return


def _fault(events: Sequence[Event], *, scaled: bool) -> tuple[str, Event | None]:
    """What is wrong with the place of the clip in one step's order of events.

    A step's events end with the leading optimizer's step; a clip after it opens the next list. A
    clip is in its place when the next thing that happens to the gradients is a step.
    """
    kinds = [e.kind for e in events]
    clips = [i for i, k in enumerate(kinds) if k == "clip"]
    if not clips or not {"step", "backward"} <= set(kinds):
        return "", None
    placed = [i for i in clips if _next_use(kinds, i) in ("step", "scaler_step")]
    if not placed:
        first, backward = clips[0], kinds.index("backward")
        if first > backward:
            return "", None  # cleared or added to before it is used, but it did see gradients
        cleared = "zero_grad" in kinds[first:backward]
        return ("after_step" if cleared else "before_backward"), events[first]
    last = len(kinds) - 1 - kinds[::-1].index("backward")
    after = [i for i in placed if i > last]
    if scaled and after and "scaler_step" in kinds and "unscale" not in kinds[: max(after)]:
        return "before_unscale", events[max(after)]
    return "", None


def _next_use(kinds: Sequence[str], clip: int) -> str:
    """What happens to the gradients next, '' when the list ends before."""
    uses = ("step", "scaler_step", "zero_grad", "backward")
    return next((k for k in kinds[clip + 1 :] if k in uses), "")


def _is_scaled(run: Recording) -> bool:
    """A gradient scaler is at work, as far as is known."""
    known = [bool(f.data.get("enabled")) for f in run.facts_of("scaler")]
    return any(known) if known else True


def _measuring_lines(run: Recording) -> set[tuple[str | None, int | None]]:
    """Lines that clip at a bound which no gradient reaches: they log the norm."""
    return {
        (f.file, f.line)
        for f in run.facts_of("clip")
        if float(f.data.get("max_norm") or 0) >= UNREACHED
    }


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
