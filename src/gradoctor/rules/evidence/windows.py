"""Many sites at once: a statistic's median over the window that counts, for every site."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import NDArray

from gradoctor.recording import Recording
from gradoctor.rules.evidence.persistence import FEWEST
from gradoctor.rules.evidence.timing import start_step


def recent_medians(run: Recording, statistic: str) -> dict[int, float]:
    """Median of a statistic at each site over the last third of the looks after the start step.

    Sites that were not observed there are left out.
    """

    def make(run: Recording) -> dict[int, float]:
        table = run.table(statistic)
        first = int(np.searchsorted(table.steps, start_step(run)))
        observed = ~np.isnan(table.values[first:]).all(axis=1)
        rows = first + np.flatnonzero(observed)
        rows = rows[-max(FEWEST, len(rows) // 3) :]
        return _medians(table.values[rows], table.sites)

    return run.derive(("recent_medians", statistic), make)


def medians_from(run: Recording, statistic: str, step: int) -> dict[int, float]:
    """Median of a statistic at each site over the first looks from a step on."""
    table = run.table(statistic)
    first = int(np.searchsorted(table.steps, step))
    return _medians(table.values[first : first + FEWEST], table.sites)


def first_values(run: Recording, statistic: str) -> dict[int, float]:
    """The first value of a statistic at each site, where it was seen within the first three steps.

    Nothing else counts as "at initialisation".
    """

    def make(run: Recording) -> dict[int, float]:
        table = run.table(statistic)
        early = table.values[: int(np.searchsorted(table.steps, 3))]
        seen: dict[int, float] = {}
        for row in early[::-1]:
            seen.update(
                (site, float(v)) for site, v in zip(table.sites, row, strict=True) if np.isfinite(v)
            )
        return seen

    return run.derive(("first_values", statistic), make)


def _medians(rows: NDArray[np.float32], sites: tuple[int, ...]) -> dict[int, float]:
    if not len(rows):
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a site that is NaN throughout
        middle = np.nanmedian(rows, axis=0)
    return {s: float(v) for s, v in zip(sites, middle, strict=True) if not np.isnan(v)}


def one_batch(run: Recording) -> bool:
    """True when the same batch came every time: gradients then agree at any learning rate."""
    for site in run.of_kind("input"):
        hashes = run.series("input.hash", site.id).values
        if len(hashes) >= 10 and len(np.unique(hashes)) <= 2:
            return True
    return False
