"""Most residual branches add next to nothing to their stream."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.robust import median

FAINT = 1e-3  # of the stream
FEWEST = 4  # blocks
YOUNG = 0.2  # of the run: zero-initialised branches grow in it


@rule(proof="statistical", needs=("stream.branch",))
def residual_branch_starvation(run: Recording) -> Iterator[Finding]:
    """More than half of the residual branches are below a thousandth of their stream.

    A note: the blocks do no harm, they do nothing. Looks in the first fifth of the run do not
    count, nor the first hundred steps.

    Values: faint, blocks, share
    """
    sums = [s for s in run.of_kind("op") if s.meta.get("role") == "residual"]
    shares = {}
    for site in sums:
        later = run.series("stream.branch", site.id).after(max(100, int(YOUNG * run.steps)))
        if len(later):
            shares[site.id] = median(later.values)
    faint = [s for s, share in shares.items() if share < FAINT]
    if len(shares) < FEWEST or 2 * len(faint) <= len(shares):
        return
    typical = median([shares[s] for s in faint])
    yield Finding(
        Level.NOTE,
        tuple(faint),
        max(100, int(YOUNG * run.steps)),
        max(0, run.steps - 1),
        {"faint": len(faint), "blocks": len(shares), "share": typical},
        (Evidence("stream.branch", typical, FAINT, "ratio", faint[0]),),
    )
