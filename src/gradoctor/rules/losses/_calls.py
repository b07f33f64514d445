"""The loss-function calls of a run with what was seen at them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level, Site
from gradoctor.rules.evidence import recent_medians

BATCHES = 3


def calls(run: Recording, *functions: str) -> Iterator[tuple[Site, Fact]]:
    """``(site, fact)`` of each call site of these loss functions."""
    for fact in run.facts_of("loss_call"):
        if (
            fact.site is not None
            and fact.site in run.sites
            and fact.data.get("function") in functions
        ):
            yield run.sites[fact.site], fact


def always(run: Recording, statistic: str, site: int, least: float) -> bool:
    """The statistic was at least this in every batch that was looked at, three at least."""
    values = run.series(statistic, site).values
    return len(values) >= BATCHES and bool(np.all(values >= least))


def usual(run: Recording, statistic: str, site: int) -> float | None:
    """The median of late; of all that was seen while the run is too young for that."""
    late = recent_medians(run, statistic).get(site)
    if late is not None:
        return late
    values = run.series(statistic, site).values
    return float(np.median(values)) if len(values) >= BATCHES else None


def finding(
    run: Recording, site: Site, level: Level, values: dict[str, Any], evidence: Evidence
) -> Finding:
    """A finding at the line where the loss function is called."""
    return Finding(
        level, (site.id,), 0, max(0, run.steps - 1), values, (evidence,),
        file=site.file, line=site.line,
    )  # fmt: skip


def where_made(fact: Fact, site: Site) -> tuple[str | None, int | None]:
    """The line of the operation that made the prediction, else the loss function's."""
    made = fact.data.get("producer_line")
    return (fact.data.get("producer_file"), made) if made else (site.file, site.line)
