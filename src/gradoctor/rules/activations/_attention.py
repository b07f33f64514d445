"""What the rules on attention share: the sites that attend, and whether the run is harmed."""

from __future__ import annotations

from collections.abc import Sequence

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Site
from gradoctor.rules.evidence import Persistence, as_pairs, cautious, diverged, stuck
from gradoctor.rules.evidence.exclusions import converged, fine_tuning
from gradoctor.rules.evidence.harm import no_progress
from gradoctor.rules.evidence.robust import median

START = 10  # looks that count as the start
VALUES = {"attention.entropy": "entropy", "attention.logit_max": "largest"}
"""What a finding calls the statistic it is about."""


def attending(run: Recording, statistic: str) -> list[tuple[Site, float]]:
    """Sites where attention was measured, each with the statistic's median at the start."""
    sites = run.of_kind("module", "op")
    series = ((s, run.series(statistic, s.id)) for s in sites)
    return [(s, median(x.values[:START])) for s, x in series if len(x) > START]


def is_harmed(run: Recording) -> bool:
    """Diverged, stuck at the baseline, or standing still while the loss is still high."""
    stands = no_progress(run).found and not converged(run).found
    return diverged(run).found or stuck(run).found or stands


def told(
    run: Recording, statistic: str, bound: float, found: Sequence[tuple[Persistence, float, Site]]
) -> Finding:
    """One finding on all layers past ``bound``, the worst first; its value is called as is meant.

    Args:
        found: what each layer showed, its median at the start, and its site; worst first.
    """
    past, start, worst = found[0]
    exclusions = (fine_tuning(run),)
    return Finding(
        level=cautious(
            persists=any(p.holds for p, _, _ in found),
            harm=is_harmed(run),
            exclusions=exclusions,
        ),
        sites=tuple(s.id for _, _, s in found),
        first_step=min(p.first for p, _, _ in found),
        last_step=max(p.last for p, _, _ in found),
        values={
            VALUES[statistic]: past.value, "start": start, "module": worst.name,
            "layers": len(found),
        },
        evidence=(Evidence(statistic, past.value, bound, "", worst.id),),
        exclusions=as_pairs(exclusions),
    )  # fmt: skip
