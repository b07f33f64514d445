"""Steps use gradients that were left over from the steps before."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.wiring._who import name_of

MOST = 0.8
"""Share of the checked steps that used a stale gradient: one omission is no disease."""


@rule(proof="structural", needs=("fact:wiring", "fact:optimizer"))
def missing_zero_grad(run: Recording) -> Iterator[Finding]:
    """At nearly every step the optimizer used gradients that nothing had cleared since the last.

    Accumulation clears after a step and GAN passes clear before the use, so neither shows here.
    Optimizers that call a closure are passed over. Each parameter is judged by itself: clearing one
    of two models that an optimizer holds leaves the other's gradients to pile up.

    Values: steps (steps checked), share (of them with stale gradients), optimizer
    """
    closures = {f.site for f in run.facts_of("optimizer") if f.data.get("closure")}
    stale: dict[int, list[tuple[int, int]]] = {}
    for fact in run.facts_of("wiring"):
        owner, checked = fact.data.get("optimizer"), int(fact.data.get("checked") or 0)
        if (
            owner is None
            or owner not in run.sites
            or owner in closures
            or checked < 3
            or fact.data.get("grads", 1) == 0
        ):
            continue
        used = int(fact.data.get("stale") or 0)
        # the first step has nothing to be stale from
        if used >= MOST * (checked - 1):
            stale.setdefault(owner, []).append((used, checked))
    for owner, counts in stale.items():
        longest = max(c[1] for c in counts)
        share = min(1.0, sum(c[0] for c in counts) / sum(c[1] - 1 for c in counts))
        place = _step_line(run, owner)
        yield Finding(
            Level.SICK, (owner,), 1, max(1, run.steps - 1),
            {"steps": longest, "share": share, "optimizer": name_of(run, owner)},
            (Evidence("wiring.stale", share, MOST, "fraction", owner),),
            file=place[0], line=place[1],
        )  # fmt: skip


def _step_line(run: Recording, owner: int) -> tuple[str | None, int | None]:
    """The line that steps this optimizer: the call that is missing belongs near it."""
    for cycle in run.cycles:
        for event in cycle.events:
            if event.kind == "backward" and any(e.who == owner for e in cycle.events):
                return event.file, event.line
    return None, None
