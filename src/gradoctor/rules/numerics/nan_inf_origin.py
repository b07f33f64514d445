"""Where the first NaN or infinity came from."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule


@rule(proof="numerical", needs=("loss.nonfinite",))
def nan_inf_origin(run: Recording) -> Iterator[Finding]:
    """A loss was NaN or infinite, or weights were; the operation that made it is named where seen.

    Steps that a gradient scaler skipped are its ordinary work. A single infinite loss whose step
    did no harm is a note.

    Values: step, op (that made it, or ''), value (nan or inf), where, low, high (its input range)
    """
    first, times = _first_bad(run)
    if first < 0:
        return
    origin = next(
        (f for f in run.facts_of("nonfinite") if f.data.get("where") in ("forward", "backward")),
        next(iter(run.facts_of("nonfinite")), None),
    )
    data = dict(origin.data) if origin is not None else {}
    lasting = times >= 2 or run.steps - first <= 2
    values = {
        "step": first, "op": data.get("op", ""), "value": data.get("value", "nan"),
        "where": data.get("where", "loss"), "low": data.get("low"), "high": data.get("high"),
    }  # fmt: skip
    sites = (origin.site,) if origin is not None and origin.site is not None else _loss(run)
    yield Finding(
        Level.SICK if lasting else Level.NOTE, sites, first, max(first, run.steps - 1), values,
        (Evidence("loss.nonfinite", float(times), 0, "steps"),),
        file=origin.file if origin is not None else None,
        line=origin.line if origin is not None else None,
    )  # fmt: skip


def _first_bad(run: Recording) -> tuple[int, int]:
    """First step with a loss that was not finite, and how many there were; -1 for none."""
    table = run.table("loss.nonfinite")
    first, times = -1, 0
    for site in table.sites:
        series = table.series(site)
        bad = series.values > 0
        if bad.any():
            step = int(series.steps[bad.argmax()])
            first = step if first < 0 else min(first, step)
            times += int(bad.sum())
    return first, times


def _loss(run: Recording) -> tuple[int, ...]:
    return tuple(s.id for s in run.of_kind("loss"))[:1]
