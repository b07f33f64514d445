"""The data holds NaN or infinity."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording, Steps
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule

LOSS = ("loss.nonfinite",)
LOOKS = 5


@rule(proof="numerical", needs=())
def nonfinite_or_constant_input(run: Recording) -> Iterator[Finding]:
    """An input or a target has NaN or infinite values.

    Sick when the loss or an activation was not finite as well: a mask that takes them out before
    the first operation makes them harmless, and so it did where the loss of the very same batch is
    finite: a note. Where the outcome of such a batch was not seen it is a suspicion. An input that
    is the same number throughout is a note.

    Values: kind (input, target or constant), count (bad values in the worst batch), name
    """
    broken = _broken_steps(run)
    seen: set[str] = set()
    for kind, statistic in (("input", "input.nonfinite"), ("target", "target.nonfinite")):
        table = run.table(statistic)
        for site in table.sites:
            series = table.series(site)
            bad = series.values > 0
            if not bad.any():
                continue
            steps = series.steps[bad]
            most = float(series.values.max())
            yield Finding(
                _level(run, broken, steps), (site,), int(steps[0]), int(series.steps[-1]),
                {"kind": kind, "count": int(min(most, 1e15)), "name": _name(run, site)},
                (Evidence(statistic, most, 0, "elements", site),),
            )  # fmt: skip
            seen.add(kind)
    yield from _told(run, seen)
    yield from _constant(run)


def _told(run: Recording, seen: set[str]) -> Iterator[Finding]:
    """A bad batch of a step that was not looked at: found when its loss was not finite."""
    for fact in run.facts_of("nonfinite"):
        told = (fact.data.get("cause"), fact.data.get("where"))
        if told == ("input", "forward") and "input" not in seen:
            seen.add("input")
            sites = list(run.of_kind("input"))[:1]
            yield Finding(
                Level.SICK, tuple(s.id for s in sites), fact.first_step, max(0, run.steps - 1),
                {"kind": "input", "count": 1, "name": sites[0].name if sites else ""},
                (Evidence("loss.nonfinite", 1.0, 0, "steps"),), file=fact.file, line=fact.line,
            )  # fmt: skip


def _level(run: Recording, broken: set[int], steps: Steps) -> Level:
    """What became of the batches that held bad values."""
    outcome = {int(s) for name in LOSS for s in run.table(name).steps}
    seen = [int(s) for s in steps if int(s) in outcome]
    if any(s not in broken for s in seen):
        return Level.NOTE
    return Level.SICK if broken and seen else Level.SUSPECT


def _broken_steps(run: Recording) -> set[int]:
    """The steps at which the loss or an activation was not finite."""
    broken: set[int] = set()
    for statistic in (*LOSS, "act.nonfinite"):
        table = run.table(statistic)
        for site in table.sites:
            series = table.series(site)
            broken |= {int(s) for s in series.steps[series.values > 0]}
    return broken


def _constant(run: Recording) -> Iterator[Finding]:
    table = run.table("input.std")
    for site in table.sites:
        values = table.series(site).values
        if len(values) >= LOOKS and not values.any():
            yield Finding(
                Level.NOTE, (site,), 0, max(0, run.steps - 1),
                {"kind": "constant", "count": 0, "name": _name(run, site)},
                (Evidence("input.std", 0.0, 0.0, "", site),),
            )  # fmt: skip


def _name(run: Recording, site: int) -> str:
    return run.sites[site].name if site in run.sites else ""
