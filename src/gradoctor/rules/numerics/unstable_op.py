"""An operation works next to the edge of what it can be given."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule

ROOM = 3.0
LOOKS = 3
_LOGS = ("log", "log2", "log10")
_SQUASHED = {"softmax": "log_softmax", "sigmoid": "log_sigmoid"}


@rule(proof="structural", needs=("fact:risky",))
def unstable_op(run: Recording) -> Iterator[Finding]:
    """A logarithm, root, division or exponential through which a gradient flows, near its edge.

    Suspect when fewer than three bits were left at three looks or more. A note for the logarithm
    of a softmax or sigmoid: each has a form that cannot break. Where something broke already, the
    rule that names its birth speaks.

    Values: kind (edge, log_softmax or log_sigmoid), op, operand (nearest to the edge), room (bits)
    """
    if run.facts_of("nonfinite"):
        return
    found = [
        (fact, kind)
        for fact in run.facts_of("risky")
        if (kind := _kind(fact)) and None not in map(fact.data.get, ("op", "operand", "room"))
    ]
    if not found:
        return
    fact, kind = min(found, key=lambda f: (f[1] != "edge", float(f[0].data["room"])))
    room = float(fact.data["room"])
    yield Finding(
        Level.SUSPECT if kind == "edge" else Level.NOTE, (), fact.first_step,
        max(fact.first_step, run.steps - 1),
        {"kind": kind, "op": fact.data["op"], "operand": float(fact.data["operand"]),
         "room": room},
        (Evidence("risky.room", room, ROOM, "bits"),), file=fact.file, line=fact.line,
    )  # fmt: skip


def _kind(fact: Fact) -> str:
    if int(fact.data.get("near") or 0) >= LOOKS:
        return "edge"
    return _SQUASHED.get(str(fact.data.get("made")), "") if fact.data.get("op") in _LOGS else ""
