"""A norm is given so little variance that its epsilon decides."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import no_progress, stuck

SHARE = 1.0 / 11.0  # the variance is less than ten times epsilon
LOOKS = 3


@rule(proof="statistical", needs=("norm.eps_share",))
def norm_eps_dominates(run: Recording) -> Iterator[Finding]:
    """The variance of a norm's input is below ten epsilons, and stays there.

    The norm then no longer normalises: its output shrinks with its input. A note, suspect where
    training is stuck besides.

    Values: count, share (of epsilon in what is divided by)
    """
    table = run.table("norm.eps_share")
    found = []
    for site in table.sites:
        values = table.series(site).values
        if len(values) >= LOOKS and min(values[-LOOKS:]) > SHARE:
            found.append((float(values[-1]), site, int(table.series(site).steps[-LOOKS])))
    if not found:
        return
    order = sorted(found, key=lambda f: run.sites[f[1]].order if f[1] in run.sites else 0)
    share, first, since = order[0]
    harmed = stuck(run).found or no_progress(run).found
    yield Finding(
        Level.SUSPECT if harmed else Level.NOTE, tuple(s for _, s, _ in order), since,
        max(0, run.steps - 1), {"count": len(found), "share": share},
        (Evidence("norm.eps_share", share, SHARE, "fraction", first),),
    )  # fmt: skip
