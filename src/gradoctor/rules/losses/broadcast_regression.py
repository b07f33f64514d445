"""Prediction and target have shapes that broadcast to a square."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule

TIMES = 2


@rule(proof="structural", needs=())
def broadcast_regression(run: Recording) -> Iterator[Finding]:
    """``[B, 1]`` against ``[B]`` gives ``[B, B]`` in the loss: each row meets every target.

    Only the shapes that a forgotten squeeze makes are judged: one side ends in 1, both count the
    batch, one of them is a target, and the result goes into the loss. Pairwise losses build their
    axes on purpose (``x[:, None]``), with a common feature axis or of predictions alone.

    Values: left, right, out (shapes), op
    """
    for fact in run.facts_of("broadcast"):
        left, right, out = (list(fact.data.get(side) or ()) for side in ("left", "right", "out"))
        batch = fact.data.get("batch")
        if fact.count < TIMES or not fact.data.get("reaches_loss"):
            continue
        if fact.data.get("both"):
            continue  # predictions against predictions: a ranking or contrastive loss
        if not batch or batch < 2 or out != [batch, batch]:
            continue
        if sorted((left, right), key=len) != [[batch], [batch, 1]]:
            continue
        values = {
            "left": str(left),
            "right": str(right),
            "out": str(out),
            "op": fact.data.get("op"),
        }
        yield Finding(
            Level.SICK, (), fact.first_step, max(0, run.steps - 1), values,
            (Evidence("broadcast.numel", float(batch * batch), float(batch), "elements"),),
            file=fact.file, line=fact.line,
        )  # fmt: skip
