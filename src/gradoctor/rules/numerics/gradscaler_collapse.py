"""The gradient scaler refuses step after step, and its scale falls away."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.numerics._scaler import RATE, never_stepped, refused
from gradoctor.rules.wiring._who import first_event

MOST = 0.5
LEAST = 1.0


@rule(proof="numerical", needs=("scaler.skipped",))
def gradscaler_collapse(run: Recording) -> Iterator[Finding]:
    """After step 50 the scaler refuses more than one step in twenty, or its scale is below 1.

    Refusals are how a scaler looks for its scale: the first 50 steps are left to it, and one is
    taken off for every time that the scale grew. A scale below 1 multiplies gradients down, where
    float16 has too little room already. Fewer than half of the steps lost, with a scale of 1 or
    more: a suspicion, since the others train.

    No scale mends a loss that is NaN before it is scaled: five such steps, the first of the run and
    every one of them refused, are a proof.

    Values: kind (late or never), skipped (steps), share, scale,
    op (that made the first bad value, or '')
    """
    lost, kind = refused(run), "late"
    if not lost.excessive:
        lost, kind = never_stepped(run), "never"
    if not lost.excessive:
        return
    scales = run.series("scaler.scale").values
    scale = float(scales[-1]) if len(scales) else 0.0
    sick = lost.rate >= MOST or scale < LEAST
    place = _birth(run) or first_event(run, "scaler_step")
    yield Finding(
        Level.SICK if sick else Level.SUSPECT, (), lost.first, max(lost.first, run.steps - 1),
        {"kind": kind, "skipped": lost.steps, "share": lost.rate, "scale": scale,
         "op": str(place.data.get("op") or "") if isinstance(place, Fact) else ""},
        (Evidence("scaler.skipped", lost.rate, RATE, "fraction"),
         Evidence("scaler.scale", scale, LEAST)),
        file=place.file if place else None, line=place.line if place else None,
    )  # fmt: skip


def _birth(run: Recording) -> Fact | None:
    """Where a bad value was seen to be made, with its line."""
    known = (f for f in run.facts_of("nonfinite") if f.line is not None and f.data.get("op"))
    return min(known, key=lambda f: f.first_step, default=None)
