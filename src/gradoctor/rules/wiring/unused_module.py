"""A module with trainable weights never runs."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.wiring._who import name_of

STEPS = 50
LONGEST = 1000
"""Steps after which an epoch is not waited for any more."""


@rule(proof="structural", needs=("fact:wiring",))
def unused_module(run: Recording) -> Iterator[Finding]:
    """An optimizer holds weights whose module took part in no training forward and got no gradient.

    After one epoch, fifty steps at least. A note: a head for a later stage, or an expert that no
    token chose, is no fault. Weights that something moves by hand are left out.

    Values: count (weights), names, module
    """
    lengths = [int(f.data.get("length") or 0) for f in run.facts_of("loader")]
    if run.steps < max(STEPS, min(max(lengths, default=0), LONGEST)):
        return
    idle = [f for f in run.facts_of("wiring") if _is_idle(f)]
    idle = [f for f in idle if f.site is not None and f.site in run.sites]
    if not idle or any(s.meta.get("role") == "router" for s in run.of_kind("op")):
        return
    sites = tuple(f.site for f in idle if f.site is not None)
    first = run.sites[sites[0]]
    yield Finding(
        Level.NOTE, sites, 0, max(0, run.steps - 1),
        {"count": len(sites), "names": ", ".join(name_of(run, s) for s in sites[:3]),
         "module": first.name.rpartition(".")[0] or first.name},
        (Evidence("wiring.unused", len(sites), 0, "tensors", sites[0]),),
        file=first.file, line=first.line,
    )  # fmt: skip


def _is_idle(fact: Fact) -> bool:
    data = fact.data
    return (
        bool(data.get("requires_grad"))
        and bool(data.get("registered", True))
        and data.get("optimizer") is not None
        and int(data.get("backwards") or 0) >= STEPS // 2
        and not data.get("used")
        and not data.get("grads")
        and not data.get("moved_unowned")
    )
