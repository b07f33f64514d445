"""A NaN was hidden instead of mended."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule

STEPS = 5
SHARE = 0.01


@rule(proof="numerical", needs=("loss.value",))
def nan_swallowed(run: Recording) -> Iterator[Finding]:
    """The loss is exactly 0 or frozen to the bit though it was positive, while values are NaN.

    Or forwards were NaN again and again and the loss that backward got was not: nan_to_num, or a
    batch that was skipped. A loss that has truly reached 0 has finite activations.

    Values: kind (zero, frozen or hidden), first (step), steps
    """
    bad = run.table("act.nonfinite")
    broken = [s for s in bad.sites if (bad.series(s).values > 0).any()]
    function = run.table("lossfn.value")
    for site in run.of_kind("loss"):
        values = run.series("loss.value", site.id)
        if len(values) < 2 * STEPS:
            continue
        tail = values.values[-STEPS:]
        kind = "zero" if not tail.any() else "frozen"
        still = bool(np.all(tail == tail[0])) and float(values.values.max()) > 0
        if broken and still:
            start = int(bad.series(broken[0]).steps[(bad.series(broken[0]).values > 0).argmax()])
            yield _finding(run, site.id, kind, start, len(values))
            return
    del function


def _finding(run: Recording, site: int, kind: str, first: int, steps: int) -> Finding:
    return Finding(
        Level.SICK, (site,), first, max(first, run.steps - 1),
        {"kind": kind, "first": first, "steps": steps},
        (Evidence("act.nonfinite", 1.0, 0.0, "", site),),
    )  # fmt: skip
