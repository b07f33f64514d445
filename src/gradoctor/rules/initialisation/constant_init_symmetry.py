"""Units of a layer start as clones of each other and stay so."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule

MOST = 0.5


@rule(proof="numerical", needs=("fact:init",))
def constant_init_symmetry(run: Recording) -> Iterator[Finding]:
    """Most rows of a weight equal another row at the start and still after 20 steps.

    Zero weights that get a gradient leave the symmetry by themselves; dropout breaks it, too: both
    show as rows that differ at step 20. Depthwise filters, embeddings and single rows are left out.

    Values: count (weights), share (of rows that are clones)
    """
    clones = []
    share = 0.0
    for fact in run.facts_of("init"):
        later = fact.data.get("clones_later")
        if fact.site is None or later is None or fact.data.get("zero"):
            continue
        site = run.sites[fact.site]
        if site.meta.get("role") not in ("matmul", "conv", "recurrent"):
            continue
        if later >= MOST and fact.data.get("clones", 0) >= MOST:
            clones.append(fact.site)
            share = max(share, float(later))
    if clones:
        yield Finding(
            Level.SICK, tuple(clones), 0, max(0, run.steps - 1),
            {"count": len(clones), "share": share},
            (Evidence("init.clones_later", share, MOST, "fraction", clones[0]),),
        )  # fmt: skip
