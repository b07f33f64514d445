"""Training goes on from a file, and the optimizer's state in it was left there."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.timing import optimizers
from gradoctor.rules.evidence.updates import momentum


@rule(proof="structural", needs=("fact:resumed",))
def fresh_optimizer_state(run: Recording) -> Iterator[Finding]:
    """A file with an optimizer's state was loaded into a model, and no optimizer took that state.

    Only for optimizers that remember something (momentum, second moments). A note: who fine-tunes
    from somebody's checkpoint starts afresh on purpose.

    Values: key (of the state in the file), optimizer
    """
    keeping = [s for s in optimizers(run) if s.meta.get("adaptive") or momentum(s) > 0]
    for fact in run.facts_of("resumed"):
        taken = int(fact.data.get("optimizers") or 0)
        if taken or not int(fact.data.get("models") or 0) or not keeping:
            continue
        yield Finding(
            Level.NOTE, (keeping[0].id,), fact.first_step, fact.last_step,
            {"key": fact.key, "optimizer": keeping[0].name},
            (Evidence("resumed.optimizers", taken, 1, "", keeping[0].id),),
            file=fact.file, line=fact.line,
        )  # fmt: skip
        return
