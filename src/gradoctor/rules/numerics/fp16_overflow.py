"""Values come to the end of float16's range, or beyond it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording, Series
from gradoctor.records import Evidence, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import diverged
from gradoctor.rules.evidence.persistence import persistence
from gradoctor.rules.numerics._scaler import refused

HEADROOM = 2.0
TIGHT = 1.0
WINDOW = 20


@rule(proof="numerical", needs=("act.headroom",))
def fp16_overflow(run: Recording) -> Iterator[Finding]:
    """A float16 output is not finite and the run suffers; or less than two bits are left of it.

    Infinities that do no harm are a mask's. They do harm when the loss ends in NaN or infinity, or
    when the gradient scaler refuses step after step. Finite values near the end are a note; where
    less than one bit is left and it shrinks on, a suspicion.

    Values: layer, headroom (bits), kind (overflow or near), skipped (share of the steps)
    """
    over = _first_overflow(run)
    share = refused(run)
    if over is not None and (diverged(run).found or share.excessive):
        site, step = over
        yield Finding(
            Level.SICK, (site.id,), step, max(step, run.steps - 1),
            {"layer": site.name, "headroom": -1.0, "kind": "overflow", "skipped": share.rate},
            (Evidence("act.headroom", -1.0, 0.0, "bits", site.id),),
        )  # fmt: skip
        return
    if over is None:
        yield from _near(run)


def _first_overflow(run: Recording) -> tuple[Site, int] | None:
    """The first bad output at the first look with any, if it is float16's and was born there.

    Not so where the input or a weight was bad already, or an operation was seen to make a NaN.
    """
    table = run.table("act.nonfinite")
    looks = np.flatnonzero((table.values > 0).any(axis=1))
    if not len(looks):
        return None
    step = int(table.steps[looks[0]])
    bad = [
        run.sites[s]
        for s, v in zip(table.sites, table.values[looks[0]], strict=True)
        if v > 0 and s in run.sites
    ]
    first = min(bad, key=lambda s: (s.order < 0, s.order, s.id))
    half = run.series("act.headroom", first.id)
    # an operation named without its line was only the first that kept its operands
    told = (f for f in run.facts_of("nonfinite") if f.data.get("op") and f.line is not None)
    born = any(f.first_step <= step for f in told)
    given = _bad_by(run, "input.nonfinite", step) or _bad_by(run, "weight.nonfinite", step - 1)
    if born or given or not (half.values[half.steps == step] <= -1.0).any():
        return None
    return first, step


def _bad_by(run: Recording, statistic: str, step: int) -> bool:
    table = run.table(statistic)
    return bool((table.values[table.steps <= step] > 0).any())


def _finite(run: Recording, site: int) -> Series:
    """The room at the looks where the output was finite."""
    series = run.series("act.headroom", site)
    keep = series.values > -1.0
    return Series(series.steps[keep], series.values[keep])


def _near(run: Recording) -> Iterator[Finding]:
    worst = None
    for site in run.of_kind("module", "op"):
        series = _finite(run, site.id)
        past = persistence(run, series, HEADROOM, side="below")
        if past.mechanism and len(series) >= WINDOW and (worst is None or past.value < worst[1]):
            worst = site, past.value, past
    if worst is None:
        return
    site, left, past = worst
    recent = _finite(run, site.id).values[-WINDOW:]
    shrinks = float(np.median(recent[-WINDOW // 2 :])) < float(np.median(recent[: WINDOW // 2]))
    yield Finding(
        Level.SUSPECT if past.holds and left < TIGHT and shrinks else Level.NOTE,
        (site.id,), past.first, past.last,
        {"layer": site.name, "headroom": left, "kind": "near", "skipped": refused(run).rate},
        (Evidence("act.headroom", left, HEADROOM, "bits", site.id),),
    )  # fmt: skip
