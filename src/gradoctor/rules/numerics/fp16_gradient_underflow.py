"""Gradients are too small for float16 and become zero."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording, Series
from gradoctor.records import Evidence, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, grade, no_progress, weight_of, worst_outcome
from gradoctor.rules.evidence.exclusions import Exclusion, schedule_tail, zero_init_escape
from gradoctor.rules.evidence.harm import left_behind
from gradoctor.rules.evidence.loss import level
from gradoctor.rules.evidence.persistence import FEWEST, SHARE, recovers
from gradoctor.rules.evidence.timing import EARLIEST

FLUSHED = 0.05
SMALL = 2.0**-17
"""rms below which a loss of small elements matters: the large ones are coarse as well."""
LEARNT = 0.5
"""A loss this far below its baseline when the underflow set in: gradients shrink as a net fits."""


@rule(proof="statistical", needs=("actgrad.flushed_fraction",))
def fp16_gradient_underflow(run: Recording) -> Iterator[Finding]:
    """In float16 layers 5 % of the gradient's elements or more round to zero, look after look.

    Judged where backward has them, the loss scale included. A gradient that is wholly zero counts
    where a layer nearer to the loss loses elements. Harm: loss not finite, at the baseline or not
    falling, or the weights of one are left behind. A net that had learnt when it set in fits.

    Values: layer, flushed (fraction), subnormal (fraction), count (layers), kind (no_scaler,
    scaled), scale
    """
    ill: list[tuple[Site, Series]] = []
    for site in reversed(_half_layers(run)):
        lost = _window(_lost(run, site.id, bool(ill)))
        rms = _window(run.series("actgrad.rms", site.id)).values
        if _past(lost) and len(rms) and float(np.median(rms)) < SMALL:
            ill.append((site, lost))
    if not ill:
        return
    first = min(_onset(_lost(run, s.id, True)) for s, _ in ill)
    nearest, lost = ill[0]
    weights = [w for site, _ in ill if (w := weight_of(run, site)) is not None]
    # each by itself: the layers nearest to the loss lose least
    tests = (worst_outcome(run), no_progress(run), *(left_behind(run, [w]) for w in weights))
    exclusions = (_had_learnt(run, first), schedule_tail(run), zero_init_escape(run))
    holds = any(len(v) >= FEWEST and not recovers(v, FLUSHED) for _, v in ill)
    verdict = grade(persists=holds, harm=any(t.found for t in tests), exclusions=exclusions)
    subnormal = _window(run.series("actgrad.subnormal_fraction", nearest.id)).values
    scales = run.series("scaler.scale").values
    enabled = any(f.data.get("enabled") for f in run.facts_of("scaler"))
    yield Finding(
        Level.NOTE if exclusions[0].found else verdict, tuple(s.id for s, _ in ill), first,
        max(first, run.steps - 1),
        {"layer": nearest.name, "flushed": float(np.median(lost.values)), "count": len(ill),
         "subnormal": float(np.median(subnormal)) if len(subnormal) else 1.0,
         "kind": "scaled" if enabled else "no_scaler",
         "scale": float(scales[-1]) if len(scales) else 1.0},
        (Evidence("actgrad.flushed_fraction", float(np.median(lost.values)), FLUSHED, "fraction",
                  nearest.id),),
        as_pairs(exclusions),
    )  # fmt: skip


def _window(series: Series) -> Series:
    """The last third of the looks after step 20: bits need not wait for an optimizer to settle."""
    later = series.after(EARLIEST)
    count = max(FEWEST, len(later) // 3)
    return Series(later.steps[-count:], later.values[-count:])


def _past(lost: Series) -> bool:
    return bool(len(lost)) and float((lost.values >= FLUSHED).mean()) >= SHARE


def _onset(lost: Series) -> int:
    """The step from which on elements were lost at nearly every look."""
    clear = np.flatnonzero(lost.values < FLUSHED)
    pairs = clear[1:][np.diff(clear) == 1]
    start = int(pairs[-1]) + 1 if len(pairs) else 0
    return int(lost.steps[min(start, len(lost) - 1)])


def _half_layers(run: Recording) -> list[Site]:
    """Sites with a float16 gradient, in execution order."""
    known = set(run.table("actgrad.flushed_fraction").sites)
    return [s for s in run.of_kind("module", "op") if s.id in known and s.order >= 0]


def _lost(run: Recording, site: int, beyond: bool) -> Series:
    """The fraction that was rounded to zero; 1 where all is zero ``beyond`` a layer that loses."""
    lost = run.series("actgrad.flushed_fraction", site)
    zero = run.series("actgrad.zero_fraction", site)
    empty = zero.steps[(zero.values >= 1.0) & ~np.isin(zero.steps, lost.steps)]
    steps = np.concatenate([lost.steps, empty])
    order = np.argsort(steps)
    value = np.full(len(empty), float(beyond), np.float32)
    return Series(steps[order], np.concatenate([lost.values, value])[order])


def _had_learnt(run: Recording, first: int) -> Exclusion:
    """The loss lay well below its baseline when the underflow set in."""
    known = level(run)
    if known is None:
        return Exclusion("converged", False)
    before = known.ratio[known.steps <= first]
    at = float(before[-1]) if len(before) else 0.0
    return Exclusion("converged", at > LEARNT, f"r {at:.2f}")
