"""The last batch of an epoch is too small for batch norm."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule

FEW = 4
USUAL = 16


@rule(proof="structural", needs=())
def last_batch_of_one(run: Recording) -> Iterator[Finding]:
    """A batch norm was given a single sample and stopped the script: sick.

    Or an epoch ends with a batch of which a batch norm sees four values or fewer, where it usually
    sees sixteen or more: a note.

    Values: kind (stopped or small), samples, usual
    """
    for fact in run.facts_of("error"):
        if fact.data.get("known") == "one_sample":
            usual = _usual(run)
            yield Finding(
                Level.SICK, (), run.steps, run.steps,
                {"kind": "stopped", "samples": 1, "usual": usual},
                (Evidence("error.one_sample", 1, 1, "samples"),), file=fact.file, line=fact.line,
            )  # fmt: skip
            return
    yield from _small(run)


def _usual(run: Recording) -> int:
    return max((int(f.data.get("usual_samples") or 0) for f in run.facts_of("mode")), default=0)


def _small(run: Recording) -> Iterator[Finding]:
    """The smallest batch that a batch norm was seen with, where loaders leave such a remainder."""
    left = [int(n) for f in run.facts_of("loader") if (n := f.data.get("last_batch")) is not None]
    few = [
        f for f in run.facts_of("mode")
        if 0 < int(f.data.get("fewest_samples") or 0) <= FEW
        and int(f.data.get("usual_samples") or 0) >= USUAL and f.site is not None
    ]  # fmt: skip
    if not few or not any(n <= FEW for n in left):
        return
    data = few[0].data
    yield Finding(
        Level.NOTE, tuple(f.site for f in few if f.site is not None), 0, max(0, run.steps - 1),
        {"kind": "small", "samples": int(data["fewest_samples"]),
         "usual": int(data["usual_samples"])},
        (Evidence("mode.samples", float(data["fewest_samples"]), FEW, "values", few[0].site),),
    )  # fmt: skip
