"""All weights of a hidden layer are zero, and no gradient leads out of it."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule

STEPS = 5


@rule(proof="numerical", needs=("fact:init", "grad.absmax"))
def zero_init_symmetry(run: Recording) -> Iterator[Finding]:
    """A weight starts at zero and its gradient is exactly zero through the first steps.

    A zero layer in a residual branch or a LoRA pair, and a zero head, get a gradient of their own
    at once and escape: they are not judged. Nor is one whose gradient comes later, with a loss term
    that is switched on: it is zero in every look so far, or nothing is said.

    Values: count (weights), steps (with a zero gradient)
    """
    table = run.table("grad.absmax")
    stuck = []
    for fact in run.facts_of("init"):
        if not fact.data.get("zero") or fact.site is None:
            continue
        values = table.series(fact.site).values
        if len(values) >= STEPS and not values.any():
            stuck.append(fact.site)
    if stuck:
        yield Finding(
            Level.SICK, tuple(stuck), 0, max(0, run.steps - 1),
            {"count": len(stuck), "steps": STEPS},
            (Evidence("grad.absmax", 0.0, 0.0, "", stuck[0]),),
        )  # fmt: skip
