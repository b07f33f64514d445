"""A distributed sampler draws the same order in every epoch."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule

EPOCHS = 2


@rule(proof="structural", needs=("fact:loader",))
def sampler_epoch_unset(run: Recording) -> Iterator[Finding]:
    """A DistributedSampler that shuffles was iterated twice or more with the same epoch number.

    Its order follows from the seed and the epoch alone. Passes that drew nothing do not count. From
    the third pass on it is a suspicion, before that a note: a second pass may be an evaluation.

    Values: epochs (passes over the data), sampler
    """
    for fact in run.facts_of("loader"):
        data = fact.data
        passes, length = int(data.get("iterators") or 0), int(data.get("length") or 0)
        full = int(data.get("batches") or 0) > length * (EPOCHS - 1)
        if data.get("sampler_epochs") != 1 or passes < EPOCHS or not length or not full:
            continue
        yield Finding(
            Level.SUSPECT if passes > EPOCHS else Level.NOTE, (), 0, max(0, run.steps - 1),
            {"epochs": passes, "sampler": data.get("sampler", "")},
            (Evidence("loader.epochs", passes, EPOCHS, "calls"),), file=fact.file, line=fact.line,
        )  # fmt: skip
