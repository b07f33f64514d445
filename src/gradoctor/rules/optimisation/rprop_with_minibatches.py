"""Rprop reads the sign of a gradient that is mostly noise."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.timing import optimizers

FEWEST = 10  # looks


@rule(proof="structural", needs=("input.hash",))
def rprop_with_minibatches(run: Recording) -> Iterator[Finding]:
    """Rprop gets another batch at every step.

    It lengthens the step of a weight while its gradient keeps its sign and shortens it when the
    sign changes. Between batches signs change by chance, and step sizes follow the noise.

    Values: batches (different ones seen), looks
    """
    for optimizer in optimizers(run):
        if optimizer.type != "Rprop":
            continue
        for site in run.of_kind("input"):
            hashes = run.series("input.hash", site.id).values
            different = len(np.unique(hashes))
            if len(hashes) >= FEWEST and different > len(hashes) // 2:
                yield Finding(
                    level=Level.SUSPECT,
                    sites=(optimizer.id,),
                    last_step=max(0, run.steps - 1),
                    values={"batches": different, "looks": len(hashes)},
                    evidence=(Evidence("input.different", different, len(hashes) // 2),),
                )
                return
