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

    Rows that differ by then have left the symmetry by themselves (a zero-initialised branch, noise
    of dropout, depthwise filters on different channels). Embeddings are left out; so is the head,
    whose rows the classes tell apart and which may be padded, and what gets no gradient: a fixed
    filter.

    Values: count (weights), share (of rows that are clones)
    """
    clones = []
    share = 0.0
    for fact in run.facts_of("init"):
        later = fact.data.get("clones_later")
        if fact.site is None or fact.site not in run.sites or later is None:
            continue
        if not _is_hidden(run, fact.site) or not _trains(run, fact.site):
            continue
        if later >= MOST and (fact.data.get("clones") or 0) >= MOST:
            clones.append(fact.site)
            share = max(share, float(later))
    if clones:
        yield Finding(
            Level.SICK, tuple(clones), 0, max(0, run.steps - 1),
            {"count": len(clones), "share": share},
            (Evidence("init.clones_later", share, MOST, "fraction", clones[0]),),
        )  # fmt: skip


def _is_hidden(run: Recording, parameter: int) -> bool:
    """A weight of a matrix product with two inputs or more a unit, not that of the head."""
    meta = run.sites[parameter].meta
    shape = list(meta.get("shape") or ())
    module = run.sites.get(meta.get("module", -1))
    head = module is not None and bool(module.meta.get("head"))
    single = len(shape) >= 2 and all(size == 1 for size in shape[1:])
    known = meta.get("role") in ("matmul", "conv", "recurrent")
    return known and not head and not single


def _trains(run: Recording, parameter: int) -> bool:
    """It got a gradient that is not zero; so, too, where gradients were not recorded."""
    if "grad.absmax" not in run.statistics:
        return True
    return bool(run.series("grad.absmax", parameter).values.any())
