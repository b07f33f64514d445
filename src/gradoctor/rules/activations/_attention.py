"""What the rules on attention share: the sites that attend, and whether the run is harmed."""

from __future__ import annotations

from gradoctor.recording import Recording
from gradoctor.records import Site
from gradoctor.rules.evidence import diverged, stuck
from gradoctor.rules.evidence.exclusions import converged
from gradoctor.rules.evidence.harm import no_progress
from gradoctor.rules.evidence.robust import median

START = 10  # looks that count as the start


def attending(run: Recording, statistic: str) -> list[tuple[Site, float]]:
    """Sites where attention was measured, each with the statistic's median at the start."""
    sites = run.of_kind("module", "op")
    series = ((s, run.series(statistic, s.id)) for s in sites)
    return [(s, median(x.values[:START])) for s, x in series if len(x) > START]


def is_harmed(run: Recording) -> bool:
    """Diverged, stuck at the baseline, or standing still while the loss is still high."""
    stands = no_progress(run).found and not converged(run).found
    return diverged(run).found or stuck(run).found or stands
