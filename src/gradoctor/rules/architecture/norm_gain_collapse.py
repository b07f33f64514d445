"""The gains of a norm have shrunk to nothing."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, no_progress, stuck
from gradoctor.rules.evidence.exclusions import converged, zero_init_escape

SHARE = 0.5
LOOKS = 3


@rule(proof="statistical", needs=("norm.small_gain",))
def norm_gain_collapse(run: Recording) -> Iterator[Finding]:
    """More than half of a norm's gains are below 0.01 and were not at the start.

    What begins at zero (a residual branch that is to fade in) is left out, and a collapse that the
    network does without is a pruned layer: a note. Suspect where training is stuck besides.

    Values: count, share (of the worst norm's gains), start
    """
    table = run.table("norm.small_gain")
    found = []
    for site in table.sites:
        values = table.series(site).values
        if len(values) >= LOOKS and values[0] < 0.1 and min(values[-2:]) > SHARE:
            found.append((float(values[-1]), site, int(table.series(site).steps[-2])))
    if not found:
        return
    found.sort(reverse=True)
    share, worst, since = found[0]
    exclusions = (converged(run), zero_init_escape(run))
    harmed = stuck(run).found or no_progress(run).found
    excused = any(e.found for e in exclusions)
    yield Finding(
        Level.SUSPECT if harmed and not excused else Level.NOTE, tuple(s for _, s, _ in found),
        since, max(0, run.steps - 1),
        {"count": len(found), "share": share,
         "start": float(table.series(worst).values[0])},
        (Evidence("norm.small_gain", share, SHARE, "fraction", worst),), as_pairs(exclusions),
    )  # fmt: skip
