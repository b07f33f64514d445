"""A stack of layers is one layer several times."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule


@rule(proof="structural", needs=("fact:repeated",))
def repeated_layer(run: Recording) -> Iterator[Finding]:
    """All entries of a container are the same layer object, as ``[layer] * n`` makes it.

    The stack has the weights of one layer. Sharing can be meant, so this is a suspicion, and only
    where the line that builds it multiplies a list; else a note.

    Values: container, layer, count
    """
    for fact in run.facts_of("repeated"):
        data = fact.data
        count = int(data.get("entries") or 0)
        yield Finding(
            Level.SUSPECT if data.get("multiplied") else Level.NOTE,
            (fact.site,) if fact.site is not None else (), fact.first_step, max(0, run.steps - 1),
            {"container": data.get("container", ""), "layer": data.get("class", ""),
             "count": count},
            (Evidence("repeated.count", count, 1, "calls"),), file=fact.file, line=fact.line,
        )  # fmt: skip
