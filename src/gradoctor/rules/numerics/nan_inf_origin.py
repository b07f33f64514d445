"""Where the first NaN or infinity came from."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording, Steps
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule

RARE = 0.01


@rule(proof="numerical", needs=("loss.nonfinite",))
def nan_inf_origin(run: Recording) -> Iterator[Finding]:
    """A loss was NaN or infinite, or weights were; the operation that made it is named where seen.

    Steps that a gradient scaler skipped are its ordinary work. Infinite losses that were got over,
    fewer than one step in a hundred, did no harm: a note.

    Values: step, op (that made it, or ''), value (nan or inf), where, low, high (its input range)
    """
    bad = _bad_steps(run)
    if not len(bad):
        return
    first, times = int(bad[0]), len(bad)
    origin = _origin(run)
    data = dict(origin.data) if origin is not None else {}
    lasting = times >= max(2, RARE * run.steps) or run.steps - int(bad[-1]) <= 2
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


def _bad_steps(run: Recording) -> Steps:
    """The steps whose loss or weights were not finite, less those that a scaler skipped."""
    skipped = run.series("scaler.skipped")
    passed = skipped.steps[skipped.values > 0]
    bad: list[Steps] = []
    for statistic in ("loss.nonfinite", "weight.nonfinite"):
        table = run.table(statistic)
        bad += [s.steps[s.values > 0] for s in map(table.series, table.sites)]
    return np.setdiff1d(np.concatenate(bad), passed) if bad else np.empty(0, np.int64)


def _origin(run: Recording) -> Fact | None:
    """The earliest birth of a bad value; forward before backward, one with a known operation first.

    What was hidden from the loss or passed over is not where this one came from, unless nothing
    else was seen.
    """
    order = ("forward", "backward", "parameter", "loss")

    def weight(fact: Fact) -> tuple[bool, bool, int, int]:
        where = fact.data.get("where")
        rank = order.index(where) if where in order else len(order)
        return rank == len(order), not fact.data.get("op"), fact.first_step, rank

    return min(run.facts_of("nonfinite"), key=weight, default=None)


def _loss(run: Recording) -> tuple[int, ...]:
    return tuple(s.id for s in run.of_kind("loss"))[:1]
