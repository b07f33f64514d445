"""Dropout is active where it should not be, or drops nearly everything."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.exclusions import converged

TOO_MUCH = 0.7


@rule(proof="structural", needs=("fact:dropout",))
def dropout_misuse(run: Recording) -> Iterator[Finding]:
    """``F.dropout`` is active while its module is in eval mode, or p is above 0.7.

    Or dropout is the last thing before the loss. A dropout module in train mode during evaluation
    is Monte Carlo dropout and not judged. A high p with which the network learns all the same is a
    choice: a note.

    Values: kind (in_eval, too_much or on_output), p, times
    """
    for fact in run.facts_of("dropout"):
        data = fact.data
        p, times = float(data.get("p") or 0.0), int(data.get("active_in_eval") or 0)
        if data.get("functional") and times >= 1:
            kind, level = "in_eval", Level.SICK
        elif p > TOO_MUCH:
            kind = "too_much"
            learns = Level.NOTE if converged(run).found else Level.SUSPECT
            level = learns if p < 1 else Level.SICK
        elif data.get("output_of_model"):
            kind, level = "on_output", Level.SUSPECT
        else:
            continue
        yield Finding(
            level, (fact.site,) if fact.site is not None else (), fact.first_step,
            max(0, run.steps - 1), {"kind": kind, "p": p, "times": times},
            (Evidence("dropout.p", p, TOO_MUCH, ""),), file=fact.file, line=fact.line,
        )  # fmt: skip
