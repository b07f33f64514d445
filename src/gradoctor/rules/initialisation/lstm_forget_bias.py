"""An LSTM that forgets by half at each step starts where a long memory is needed."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import learnt_nothing
from gradoctor.rules.evidence.robust import median

OPEN = 0.5
LOST = 10.0  # bits over the sequence
SHORTEST = 20


@rule(proof="numerical", needs=("fact:forget_gate", "time.slope", "time.length"))
def lstm_forget_bias(run: Recording) -> Iterator[Finding]:
    """Forget gates start half open, the gradient fades over the sequence, and nothing is learnt.

    Mechanism: the two biases of the forget gates add up to less than 0.5 at step 0, and ten bits of
    the gradient are lost from the last step to the first. PyTorch starts them near 0: without the
    harm nothing is said. A note, beside what GD108 has to say.

    Values: module, bias (sum of both), bits (lost over the sequence), length
    """
    if not learnt_nothing(run):
        return
    for module in run.of_kind("module"):
        owned = set(module.meta.get("params") or ())
        gates = [f for f in run.facts_of("forget_gate") if f.site in owned]
        slope, length = run.series("time.slope", module.id), run.series("time.length", module.id)
        if not gates or not len(slope) or not len(length):
            continue
        layers = max(1, round(len(gates) / 2))
        bias = float(np.sum([f.data["mean"] for f in gates])) / layers
        steps = median(length.values)
        bits = median(slope.values) * steps
        if bias >= OPEN or bits < LOST or steps < SHORTEST:
            continue
        yield Finding(
            Level.NOTE, (module.id,), 0, max(0, run.steps - 1),
            {"module": module.name, "bias": bias, "bits": bits, "length": steps},
            (Evidence("forget_gate.bias", bias, OPEN, "", module.id),
             Evidence("time.slope", bits / steps, LOST / steps, "bits/step", module.id)),
        )  # fmt: skip
        return
