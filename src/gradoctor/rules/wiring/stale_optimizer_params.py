"""The optimizer holds tensors that are not the model's any more."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.wiring._who import name_of

STEPS = 3


@rule(proof="structural", needs=("fact:optimizer", "fact:wiring"))
def stale_optimizer_params(run: Recording) -> Iterator[Finding]:
    """An optimizer holds tensors that no model has and that never got a gradient.

    While at the same time parameters of a model get gradients and no optimizer holds them: the
    model, or a part of it, was rebuilt after the optimizer was made. Without such parameters it is
    a note (something unused was handed over).

    Values: orphans (tensors held for nothing), unowned (parameters without optimizer), optimizer
    """
    unowned = [
        f
        for f in run.facts_of("wiring")
        if f.data.get("optimizer") is None
        and int(f.data.get("grads") or 0) >= STEPS
        and f.data.get("requires_grad")
        and f.data.get("registered", True)
        and not f.data.get("moved_unowned")
    ]
    for fact in run.facts_of("optimizer"):
        orphans = int(fact.data.get("orphans") or 0)
        if not orphans or int(fact.data.get("steps") or 0) < STEPS or fact.site is None:
            continue
        sites = (fact.site, *(f.site for f in unowned if f.site is not None))
        yield Finding(
            Level.SICK if unowned else Level.NOTE, sites, 0, max(0, run.steps - 1),
            {"orphans": orphans, "unowned": len(unowned), "optimizer": name_of(run, fact.site)},
            (Evidence("optimizer.orphans", orphans, 0, "tensors", fact.site),),
        )  # fmt: skip
