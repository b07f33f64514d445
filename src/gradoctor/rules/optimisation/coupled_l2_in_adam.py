"""Weight decay that passes through Adam's division."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.timing import optimizers

COUPLED = ("Adam", "NAdam", "RAdam", "Adamax")
LARGE = 1e-4


@rule(proof="structural", needs=("fact:optimizer",))
def coupled_l2_in_adam(run: Recording) -> Iterator[Finding]:
    """Adam is given a weight decay, which it treats as a part of the gradient.

    The decay is then divided by the root of the second moment: weights with large gradients hardly
    decay. A note: it is a choice that some recipes make.

    Values: optimizer, decay
    """
    for optimizer in optimizers(run):
        decay = float(optimizer.meta.get("weight_decay") or 0.0)
        decoupled = optimizer.meta.get("decoupled_weight_decay")
        if optimizer.type in COUPLED and decay > LARGE and not decoupled:
            yield Finding(
                level=Level.NOTE,
                sites=(optimizer.id,),
                last_step=max(0, run.steps - 1),
                values={"optimizer": optimizer.type, "decay": decay},
                evidence=(Evidence("optimizer.weight_decay", decay, LARGE),),
            )
