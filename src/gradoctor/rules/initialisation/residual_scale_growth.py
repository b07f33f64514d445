"""A residual stream grows by the same factor at every block."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, cautious, diverged, first_values, stuck
from gradoctor.rules.evidence.exclusions import fine_tuning
from gradoctor.rules.evidence.loss import initial_ratio, level
from gradoctor.rules.evidence.robust import theil_sen

TOTAL = 8.0  # bits: healthy streams grow like the root of the depth, four bits at 256 blocks
FEWEST = 4
STRAIGHT = 0.8
LOUD = 3.0


@rule(proof="statistical", needs=("stream.rms",))
def residual_scale_growth(run: Recording) -> Iterator[Finding]:
    """At step 0 the residual stream grows geometrically: each branch is as large as the stream.

    Mechanism: over sums of one shape, in order, log2 rms rises by 8 bits or more on a straight
    line. Harm: the loss diverged, is stuck, or began at over 3 times the uninformed loss and never
    came back to it.

    Values: growth_bits, slope_bits, blocks, last
    """
    for sums in _streams(run):
        first = first_values(run, "stream.rms")
        bits = np.log2(np.maximum([first[s.id] for s in sums], 1e-30))
        line = theil_sen(np.arange(len(bits)), bits)
        growth = line.slope * (len(bits) - 1)
        if growth < TOTAL or line.r2 < STRAIGHT:
            continue
        exclusions = (fine_tuning(run),)
        yield Finding(
            level=cautious(persists=True, harm=_harm(run), exclusions=exclusions),
            sites=tuple(s.id for s in sums),
            values={
                "growth_bits": growth,
                "slope_bits": line.slope,
                "blocks": len(sums),
                "last": sums[-1].name,
            },
            evidence=(
                Evidence("stream.rms", growth, TOTAL, "bits", sums[-1].id),
                Evidence("lossfn.value", initial_ratio(run), LOUD, "ratio"),
            ),
            exclusions=as_pairs(exclusions),
        )
        return


def _streams(run: Recording) -> list[list[Site]]:
    """Residual sums of one shape, in order of execution, those seen at step 0."""
    seen = first_values(run, "stream.rms")
    by_shape: dict[tuple[int, ...], list[Site]] = defaultdict(list)
    for site in run.of_kind("op"):
        if site.meta.get("role") == "residual" and site.id in seen and site.order >= 0:
            by_shape[tuple(site.meta.get("out_shape") or ())[1:]].append(site)
    return [sums for sums in by_shape.values() if len(sums) >= FEWEST]


def _harm(run: Recording) -> bool:
    known = level(run)
    never = known is not None and initial_ratio(run) > LOUD and known.now < 0.03
    return diverged(run).found or stuck(run).found or never
