"""Where the first NaN or infinity came from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradoctor.recording import Recording, Steps
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule

RARE = 0.01
BORN = ("forward", "backward", "loss")


@rule(proof="numerical", needs=("loss.nonfinite",))
def nan_inf_origin(run: Recording) -> Iterator[Finding]:
    """A loss was NaN or infinite, or weights were; the operation that made it is named where seen.

    Steps that a gradient scaler skipped are its ordinary work. Infinite losses that were got over,
    fewer than one step in a hundred, did no harm: a note.

    A loss that is finite while its gradients are not breaks the weights in the step that follows.

    Values: kind (operation, likely, backward, input, data, given, weights, grown, or ''), step,
    op (that made it, or ''), value (nan or inf), where, low, high (its input range),
    dtype, name (of a bad variable), samples, batch, capsule (for ``gradoctor replay``)
    """
    origin = _origin(run)
    bad = _bad_steps(run, origin)
    if not len(bad):
        return
    first, times = int(bad[0]), len(bad)
    data = dict(origin.data) if origin is not None else {}
    lasting = times >= max(2, RARE * run.steps) or run.steps - int(bad[-1]) <= 2
    values = {
        "step": first, "op": data.get("op", ""), "value": data.get("value", "nan"),
        "where": data.get("where", "loss"), "low": _near_one(data.get("low")),
        "high": _near_one(data.get("high")),
        "kind": _kind(data), "dtype": data.get("dtype", ""), "name": data.get("variable", ""),
        "samples": _samples(data), "batch": data.get("batch"), "capsule": data.get("capsule", ""),
    }  # fmt: skip
    sites = (origin.site,) if origin is not None and origin.site is not None else _loss(run)
    yield Finding(
        Level.SICK if lasting else Level.NOTE, sites, first, max(first, run.steps - 1), values,
        (Evidence("loss.nonfinite", float(times), 0, "steps"),),
        file=origin.file if origin is not None else None,
        line=origin.line if origin is not None else None,
    )  # fmt: skip


def _kind(data: dict[str, Any]) -> str:
    """What is to be told: of the data, of the weights, or of an operation."""
    cause = str(data.get("cause") or "operation")
    if cause == "data" and not data.get("variable") and data.get("where") == "forward":
        return "given"  # of no variable of the script: computed on the way, or data after all
    if cause == "weights" or (cause in ("input", "data") and data.get("where") == "forward"):
        return cause
    if not data.get("op"):
        return ""
    if data.get("where") == "backward":
        return "backward"
    if cause == "grown":
        return "grown"
    return "operation" if data.get("exact") and data.get("low") is not None else "likely"


def _near_one(x: Any) -> Any:
    """1 and the next number after it are different things to an arc cosine."""
    if isinstance(x, float) and 0 < abs(abs(x) - 1) < 1e-3:
        return f"{x:.9g}"
    return x


def _samples(data: dict[str, Any]) -> str:
    """The bad samples: as the data set counts them, else their rows in the batch."""
    found = data.get("samples") or data.get("rows") or []
    if not isinstance(found, list):
        return ""
    return ", ".join(str(n) for n in found[:8]) + (", ..." if len(found) > 8 else "")


def _bad_steps(run: Recording, origin: Fact | None) -> Steps:
    """The steps whose loss or weights were not finite, less those that a scaler skipped.

    And the one whose gradients were not, where the weights were stepped with them, or after which
    the script gave up.
    """
    skipped = run.series("scaler.skipped")
    passed = skipped.steps[skipped.values > 0]
    bad: list[Steps] = []
    for statistic in ("loss.nonfinite", "weight.nonfinite"):
        table = run.table(statistic)
        bad += [s.steps[s.values > 0] for s in map(table.series, table.sites)]
    where = origin.data.get("where") if origin is not None else None
    if origin is not None and (where == "backward" or (where in BORN and origin.data.get("cause"))):
        bad.append(np.array([origin.first_step], np.int64))
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
