"""A bias that the following batch norm takes away again."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule

RATIO = 1e-5


@rule(proof="structural", needs=("grad.rms",))
def bias_before_norm(run: Recording) -> Iterator[Finding]:
    """A bias whose gradient is nothing beside its weight's, right before a batch norm: a note.

    Values: count (biases)
    """
    modules = {s.id: s for s in run.of_kind("module")}
    following = {}
    ordered = [s for s in modules.values() if s.order >= 0]
    ordered.sort(key=lambda s: s.order)
    for one, two in pairwise(ordered):
        following[one.id] = two.type
    found = []
    table = run.table("grad.rms")
    for parameter in run.of_kind("parameter"):
        module = parameter.meta.get("module")
        if parameter.meta.get("leaf") != "bias" or module not in following:
            continue
        if not following[module].startswith(("BatchNorm", "InstanceNorm")):
            continue
        weight = [p for p in modules[module].meta.get("params") or () if p != parameter.id]
        bias = table.series(parameter.id).values
        peer = table.series(weight[0]).values if weight else bias
        if len(bias) >= 3 and len(peer) >= 3 and bias[-3:].max() < RATIO * peer[-3:].min():
            found.append(parameter.id)
    if found:
        yield Finding(
            Level.NOTE, tuple(found), 0, max(0, run.steps - 1), {"count": len(found)},
            (Evidence("grad.rms", 0.0, RATIO, "ratio", found[0]),),
        )  # fmt: skip
