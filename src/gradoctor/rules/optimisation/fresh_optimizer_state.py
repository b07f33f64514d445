"""The optimizer has forgotten: its state was left in a file, or it is made anew all the time."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.timing import optimizers
from gradoctor.rules.evidence.updates import momentum

OFTEN = 5  # optimizers after the first, for the same tensors, each of which stepped once


@rule(proof="structural", needs=())
def fresh_optimizer_state(run: Recording) -> Iterator[Finding]:
    """A file with an optimizer's state was loaded into a model, and no optimizer took that state.

    Only for optimizers that remember something (momentum, second moments). A note: who fine-tunes
    from somebody's checkpoint starts afresh on purpose. Or the same line makes one for the same
    tensors again and again, and each steps but once: that is a suspicion, for nothing that it keeps
    is ever used. Inner loops make one for each task, and take several steps with it.

    Values: kind (left or remade), key (of the state in the file), optimizer, count (made anew)
    """
    keeping = [s for s in optimizers(run) if s.meta.get("adaptive") or momentum(s) > 0]
    yield from _remade(run, keeping)
    for fact in run.facts_of("resumed"):
        taken = int(fact.data.get("optimizers") or 0)
        if taken or not int(fact.data.get("models") or 0) or not keeping:
            continue
        yield Finding(
            Level.NOTE, (keeping[0].id,), fact.first_step, fact.last_step,
            {"kind": "left", "key": fact.key, "optimizer": keeping[0].name, "count": 0},
            (Evidence("resumed.optimizers", taken, 1, "", keeping[0].id),),
            file=fact.file, line=fact.line,
        )  # fmt: skip
        return


def _remade(run: Recording, keeping: list[Site]) -> Iterator[Finding]:
    for site in keeping:
        for fact in run.facts_of("optimizer", site.id):
            anew, steps = int(fact.data.get("remade") or 0), int(fact.data.get("steps") or 0)
            if anew >= OFTEN and steps <= anew + 1:
                yield Finding(
                    Level.SUSPECT, (site.id,), 0, max(0, run.steps - 1),
                    {"kind": "remade", "key": "", "optimizer": site.type, "count": anew + 1},
                    (Evidence("optimizer.remade", anew, OFTEN, "", site.id),),
                    file=site.file, line=site.line,
                )  # fmt: skip
                return
