"""A PReLU has become a straight line."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import recent_medians

LINE = (0.95, 1.05)


@rule(proof="statistical", needs=("weight.rms",))
def prelu_degenerate(run: Recording) -> Iterator[Finding]:
    """The learnt slope of a PReLU is 1 (or -1): both sides of zero are alike but for a sign.

    A note: with a slope of 1 the layers around it are one.

    Values: slope, layers, module
    """
    sizes = recent_medians(run, "weight.rms")
    found = [
        s
        for s in run.of_kind("parameter")
        if s.type == "PReLU" and LINE[0] <= sizes.get(s.id, 0.0) <= LINE[1]
    ]
    if not found:
        return
    yield Finding(
        Level.NOTE,
        tuple(s.id for s in found),
        0,
        max(0, run.steps - 1),
        {"slope": sizes[found[0].id], "layers": len(found), "module": found[0].name},
        (Evidence("weight.rms", sizes[found[0].id], LINE[0], "", found[0].id),),
    )
