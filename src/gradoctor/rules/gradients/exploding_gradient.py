"""The gradient grows from layer to layer, or from step to step."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording, Series
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import (
    Harm,
    Path,
    as_pairs,
    backward_profile,
    diverged,
    grade,
    paths,
    persistence,
)
from gradoctor.rules.evidence.depth import slope
from gradoctor.rules.evidence.exclusions import adversarial, scaler_skips
from gradoctor.rules.evidence.loss import initial_ratio
from gradoctor.rules.evidence.robust import median

SPAN = 10.0  # bits
STRAIGHT = 0.9  # R2 of the slope: growth is geometric
JUMP = 1e3  # over the running median


@rule(proof="statistical", needs=("actgrad.rms",))
def exploding_gradient(run: Recording) -> Iterator[Finding]:
    """The backward signal grows geometrically towards the input, or suddenly over the steps.

    Mechanism: a span of at least +10 bits on a straight slope; or a gradient norm a thousand times
    its running median in three of five steps. Harm: the loss is not finite, has grown past the
    baseline, or never came near it. Batch norm's explosion at the first step heals at the second,
    so a span counts when it persists, or when divergence follows within 20 steps.

    Values: span_bits, slope_bits, layers, first, last, kind, jump
    """
    harm = _harm(run)
    for path in paths(run):
        finding = _in_depth(run, path, harm)
        if finding is not None:
            yield finding
            return
    finding = _in_time(run, harm)
    if finding is not None:
        yield finding


def _harm(run: Recording) -> Harm:
    outcome = diverged(run)
    if outcome.found:
        return outcome
    ratio = initial_ratio(run)
    last = _last_ratio(run)
    if ratio > 3.0 and last > 1.1:
        return Harm("H1", True, 0, last, "never-near-baseline")
    return Harm("", False)


def _last_ratio(run: Recording) -> float:
    from gradoctor.rules.evidence.loss import level

    known = level(run)
    return 1.0 - float(known.ratio[-1]) if known is not None else float("nan")


def _in_depth(run: Recording, path: Path, harm: Harm) -> Finding | None:
    profile = backward_profile(run, path)
    past = persistence(run, profile.span, SPAN, side="above", clear=SPAN - 1)
    middle = profile.middle(run)
    first, last, holds = past.first, past.last, past.holds
    if not past.mechanism:
        before = _before_divergence(profile.span, harm)
        if before is None:
            return None
        middle = profile.bits[before]
        first = last = int(profile.steps[before])
        holds = True
    line = slope(middle)
    if line.r2 < STRAIGHT or line.slope >= 0:
        return None
    exclusions = (scaler_skips(run),)
    span = float(middle[0] - middle[-1])
    return Finding(
        level=grade(persists=holds, harm=harm.found, exclusions=exclusions),
        sites=tuple(s.id for s in path.layers[: max(1, len(path.layers) // 3)]),
        first_step=first,
        last_step=max(first, last),
        values={
            "kind": "depth",
            "span_bits": span,
            "slope_bits": -line.slope,
            "layers": len(path.layers),
            "first": path.layers[0].name,
            "last": path.layers[-1].name,
            "jump": float("nan"),
        },
        evidence=(
            Evidence("actgrad.rms", span, SPAN, "bits", path.layers[0].id),
            Evidence("actgrad.rms", line.r2, STRAIGHT, "R2"),
        ),
        exclusions=as_pairs(exclusions),
    )


def _before_divergence(span: Series, harm: Harm) -> int | None:
    """The last look before the loss diverged, if the span was past the threshold right there."""
    if harm.test != "H1":
        return None
    seen = np.flatnonzero(span.steps <= harm.since)
    if not len(seen):
        return None
    at = int(seen[-1])
    near = harm.since - int(span.steps[at]) <= 20
    return at if near and float(span.values[at]) >= SPAN else None


def _in_time(run: Recording, harm: Harm) -> Finding | None:
    norms = run.series("grad.norm")
    if len(norms) < 5:
        norms = run.series("clip.norm")
    at, jump = _burst(norms)
    if at < 0:
        return None
    exclusions = (adversarial(run), scaler_skips(run))
    followed = harm.found and harm.since >= int(norms.steps[at]) - 2
    level = grade(persists=True, harm=followed, exclusions=exclusions)
    if level == Level.NOTE and not followed:
        return None
    return Finding(
        level=level,
        first_step=int(norms.steps[at]),
        last_step=int(norms.steps[-1]),
        values={
            "kind": "time",
            "span_bits": float("nan"),
            "slope_bits": float("nan"),
            "layers": 0,
            "first": "",
            "last": "",
            "jump": jump,
        },
        evidence=(Evidence("grad.norm", jump, JUMP, "ratio"),),
        exclusions=as_pairs(exclusions),
    )


def _burst(norms: Series) -> tuple[int, float]:
    """Index of the first of five looks of which three lie a thousandfold over the median so far."""
    if len(norms) < 5:
        return -1, 0.0
    # a median is no smaller than the least value so far: few looks need one
    least = np.fmin.accumulate(norms.values)[:-1]
    ratio = np.zeros(len(norms) - 1)
    for i in np.flatnonzero(norms.values[1:] > JUMP * least):
        running = median(norms.values[max(0, i + 1 - 200) : i + 1])
        ratio[i] = norms.values[i + 1] / running if running > 0 else 0.0
    high = ratio > JUMP
    counts = np.convolve(high, np.ones(5, int))[: len(high)]
    full = np.flatnonzero(counts >= 3)
    if not len(full):
        return -1, 0.0
    first = int(np.flatnonzero(high[max(0, full[0] - 4) : full[0] + 1])[0]) + max(0, full[0] - 4)
    return first + 1, float(np.nanmax(ratio[high]))
