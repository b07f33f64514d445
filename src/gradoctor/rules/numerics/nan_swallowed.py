"""A NaN was hidden instead of mended."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.timing import looks

STEPS = 5
SHARE = 0.01


@rule(proof="numerical", needs=("loss.value",))
def nan_swallowed(run: Recording) -> Iterator[Finding]:
    """The loss is exactly 0 or frozen to the bit from when values became NaN on.

    Or the script passes over batches whose loss is NaN, more than one in a hundred; or NaN is born
    in forward after forward and the loss is finite, which may be a mask at work: a suspicion. A
    loss that has truly reached 0 has finite activations, and one that still moves has not been
    replaced, whatever minus infinities a mask has put into a layer.

    Values: kind (zero, frozen, skipped or hidden), first (step), steps
    """
    births = [f for f in run.facts_of("nonfinite") if f.data.get("value", "nan") == "nan"]
    found = _replaced(run, births) or _passed_over(run, births)
    if found is not None:
        yield found


def _replaced(run: Recording, births: list[Fact]) -> Finding | None:
    """A loss that stands still to the bit while something is NaN that was not while it moved."""
    broken = _first(run, "act.nonfinite")
    for site in run.of_kind("loss"):
        series = run.series("loss.value", site.id)
        if len(series) < 2 * STEPS:
            continue
        still = _still_from(series.values)
        if len(series) - still < STEPS:
            continue
        since = int(series.steps[still])
        going_on = [f for f in births if f.last_step >= since]
        if going_on or broken >= max(0, since - 1):
            kind = "frozen" if series.values[-1] else "zero"
            place = next((f for f in going_on if f.line is not None), None)
            return _finding(run, (site.id,), kind, since, len(series), Level.SICK, place)
    return None


def _passed_over(run: Recording, births: list[Fact]) -> Finding | None:
    seen = max(1, len(looks(run)))
    for where, level in (("skipped", Level.SICK), ("hidden", Level.SUSPECT)):
        for fact in births:
            share = fact.count / (seen + fact.count if where == "skipped" else seen)
            if fact.data.get("where") == where and fact.count >= STEPS and share > SHARE:
                sites = (fact.site,) if fact.site is not None else ()
                return _finding(run, sites, where, fact.first_step, fact.count, level, fact)
    return None


def _still_from(values: np.ndarray[tuple[int], np.dtype[np.float32]]) -> int:
    """Index from which on all values are the last one."""
    moved = np.flatnonzero(values != values[-1])
    return int(moved[-1]) + 1 if len(moved) else 0


def _first(run: Recording, statistic: str) -> int:
    """First step at which a statistic was above 0 anywhere, -1 for never."""
    table = run.table(statistic)
    steps = [s.steps[s.values > 0] for s in map(table.series, table.sites)]
    return min((int(s[0]) for s in steps if len(s)), default=-1)


def _finding(
    run: Recording, sites: tuple[int, ...], kind: str, first: int, steps: int, level: Level,
    place: Fact | None,
) -> Finding:  # fmt: skip
    return Finding(
        level, sites, first, max(first, run.steps - 1),
        {"kind": kind, "first": first, "steps": steps},
        (Evidence("act.nonfinite", 1.0, 0.0, "", sites[0] if sites else None),),
        file=place.file if place else None, line=place.line if place else None,
    )  # fmt: skip
