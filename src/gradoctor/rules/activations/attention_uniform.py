"""Attention looks at everything alike, and nothing is learnt."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import recent_medians, stuck

ALIKE = 0.98


@rule(proof="statistical", needs=("attention.entropy",))
def attention_uniform(run: Recording) -> Iterator[Finding]:
    """Every attention in the network is uniform while the loss is stuck at its baseline.

    A note: it tells where to look next, not what is wrong. Queries and keys have learnt nothing.

    Values: entropy, layers
    """
    known = recent_medians(run, "attention.entropy")
    if not known or min(known.values()) < ALIKE or not stuck(run).found:
        return
    first = min(known, key=lambda s: run.sites[s].order)
    least = min(known.values())
    yield Finding(
        Level.NOTE,
        tuple(sorted(known, key=lambda s: run.sites[s].order)),
        0,
        max(0, run.steps - 1),
        {"entropy": least, "layers": len(known)},
        (Evidence("attention.entropy", least, ALIKE, "", first),),
    )
