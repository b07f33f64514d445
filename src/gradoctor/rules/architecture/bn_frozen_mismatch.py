"""A batch norm is frozen by half, or follows the data far too slowly or far too fast."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.evaluation import gap

SLOW, FAST = 1e-3, 0.9
FORWARDS = 20


@rule(proof="structural", needs=("fact:mode",))
def bn_frozen_mismatch(run: Recording) -> Iterator[Finding]:
    """Running statistics that hardly follow the batches, or are nothing but the latest one.

    PyTorch's momentum is the share of the new batch: 0.99 means what others call 0.01. Or a batch
    norm whose gain and bias are frozen while its statistics go on moving. A note; a momentum is
    suspect where evaluation is one and a half times worse than training.

    Values: kind (slow, fast or statistics), momentum, count
    """
    kinds: dict[str, list[Fact]] = {}
    for fact in run.facts_of("mode"):
        kind = _kind(run, fact)
        if kind:
            kinds.setdefault(kind, []).append(fact)
    difference = gap(run)
    harmed = difference is not None and difference.worse
    for kind, facts in kinds.items():
        momentum = float(facts[0].data.get("momentum") or 0.0)
        judged = harmed and kind != "statistics"
        yield Finding(
            Level.SUSPECT if judged else Level.NOTE,
            tuple(f.site for f in facts if f.site is not None), 0, max(0, run.steps - 1),
            {"kind": kind, "momentum": momentum, "count": len(facts)},
            (Evidence("mode.momentum", momentum, FAST if kind == "fast" else SLOW, "",
                      facts[0].site),),
        )  # fmt: skip


def _kind(run: Recording, fact: Fact) -> str:
    data = fact.data
    if not data.get("tracks") or int(data.get("train") or 0) < FORWARDS:
        return ""
    momentum = data.get("momentum")
    if isinstance(momentum, int | float):
        if momentum < SLOW:
            return "slow"
        if momentum >= FAST:
            return "fast"
    return "statistics" if _affine_frozen(run, fact) else ""


def _affine_frozen(run: Recording, fact: Fact) -> bool:
    """The norm has a gain or bias, and none of it asks for a gradient."""
    site = run.sites.get(fact.site) if fact.site is not None else None
    own = site.meta.get("params") or () if site is not None else ()
    wired = [w for p in own for w in run.facts_of("wiring", p)]
    return bool(wired) and not any(w.data.get("requires_grad", True) for w in wired)
