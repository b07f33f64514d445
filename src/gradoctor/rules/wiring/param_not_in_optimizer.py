"""Parameters get gradients that no optimizer uses."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule

BACKWARDS = 3


@rule(proof="structural", needs=("fact:wiring", "fact:optimizer"))
def param_not_in_optimizer(run: Recording) -> Iterator[Finding]:
    """A parameter gets a gradient at every step, no optimizer holds it, and it never moves.

    Weights that are moved by hand are exonerated because they move; frozen ones because they ask
    for no gradient. Optimizers must have stepped: before that nothing is decided.

    Values: count (tensors left out), total (tensors with gradients), names
    """
    if not any(f.data.get("steps", 0) >= BACKWARDS for f in run.facts_of("optimizer")):
        return
    wired = [f for f in run.facts_of("wiring") if _gets_gradient(f)]
    orphaned = [f for f in wired if f.data.get("optimizer") is None and f.site is not None]
    left = [f for f in orphaned if not f.data.get("moved_unowned")]
    left = [f for f in left if f.data.get("registered", True)]
    if not left or len(left) == len(wired):
        return
    sites = tuple(f.site for f in left if f.site is not None)
    names = ", ".join(run.sites[s].name for s in sites[:3])
    yield Finding(
        Level.SICK, sites, 0, max(0, run.steps - 1),
        {"count": len(sites), "total": len(wired), "names": names},
        (Evidence("wiring.unowned", len(sites), 0, "tensors", sites[0]),),
    )  # fmt: skip


def _gets_gradient(fact: Fact) -> bool:
    data = fact.data
    seen = int(data.get("backwards") or 0)
    return bool(data.get("requires_grad")) and seen >= BACKWARDS and data.get("grads", 0) >= seen
