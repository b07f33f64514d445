"""Updates are smaller than the gaps between numbers of the weights' type."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.exclusions import as_pairs, found, schedule_tail, warming_up

LOST = 0.5
LOOKS = 20
FEWEST = 3  # different batches: the bits are lost, how long is not known yet


@rule(proof="numerical", needs=("update.lost_fraction",))
def bf16_stagnation(run: Recording) -> Iterator[Finding]:
    """Half of the elements with a gradient keep their bits, in half of all weights, for 20 looks.

    From three looks on it is a suspicion, unless the rate rises: a warm-up passes through there.

    Only parameters stored in bf16 or fp16 can lose updates so; with autocast, or where the
    optimizer holds fp32 copies, they are fp32. A network that has converged makes small updates,
    too: those of the run as a whole must be lost, not of its end alone.

    Values: lost (fraction of elements), dtype, count (tensors), update_ratio
    """
    table = run.table("update.lost_fraction")
    lost: list[tuple[float, float, int]] = []
    sizes = 0.0
    looks = min(LOOKS, max((len(table.series(site)) for site in table.sites), default=0))
    for site in table.sites:
        values = table.series(site).values
        if len(values) < max(FEWEST, looks) or site not in run.sites:
            continue
        size = float(run.sites[site].meta.get("numel") or 1)
        sizes += size
        median = float(min(np.median(values), np.median(values[-50:])))
        if median >= LOST:
            lost.append((median, size, site))
    mass = sum(size for _, size, _ in lost)
    excluded = (warming_up(run), schedule_tail(run))
    unsure = found(excluded)
    if not lost or mass < 0.5 * sizes or (unsure and looks < LOOKS):
        return
    maker = next(iter(run.of_kind("optimizer")), None)
    worst = sorted(lost, reverse=True)
    share = sum(m * size for m, size, _ in lost) / mass
    ratio = run.series("update.ratio", worst[0][2]).values
    yield Finding(
        Level.SUSPECT if unsure or looks < LOOKS else Level.SICK,
        tuple(site for _, _, site in worst), 0, max(0, run.steps - 1),
        {"lost": share, "dtype": run.sites[worst[0][2]].meta.get("dtype", ""), "count": len(lost),
         "update_ratio": float(np.median(ratio)) if len(ratio) else float("nan")},
        (Evidence("update.lost_fraction", share, LOST, "fraction", worst[0][2]),),
        as_pairs(excluded), file=maker.file if maker else None, line=maker.line if maker else None,
    )  # fmt: skip
