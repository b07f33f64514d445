"""Parameters that are frozen and change all the same."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.wiring._who import name_of

LOOKS = 5


@rule(proof="structural", needs=("fact:wiring",))
def frozen_but_moving(run: Recording) -> Iterator[Finding]:
    """An optimizer holds parameters that ask for no gradient, and their bits go on changing.

    A gradient that was left from before they were frozen, momentum and weight decay go on moving
    them. A target network or a mean of weights is moved by hand and no optimizer holds it. Sick:
    what is frozen is meant to stand still.

    Values: count, names, moves (looks at which they had changed)
    """
    found = []
    for fact in run.facts_of("wiring"):
        moves = int(fact.data.get("frozen_moves") or 0)
        if moves >= LOOKS and not fact.data.get("requires_grad") and fact.site is not None:
            found.append((moves, fact.site))
    if not found:
        return
    moves, worst = max(found, key=lambda f: (f[0], -f[1]))
    sites = tuple(s for _, s in found)
    yield Finding(
        Level.SICK, sites, 0, max(0, run.steps - 1),
        {"count": len(sites), "names": ", ".join(name_of(run, s) for s in sites[:3]),
         "moves": moves},
        (Evidence("wiring.frozen_moves", moves, 0, "looks", worst),),
    )  # fmt: skip
