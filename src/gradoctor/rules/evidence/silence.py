"""Layers whose units fall silent: alive, and far weaker than the others."""

from __future__ import annotations

from typing import NamedTuple

from gradoctor.recording import Recording
from gradoctor.records import Site
from gradoctor.rules.evidence.persistence import Persistence, persistence
from gradoctor.rules.evidence.robust import median

SILENT = 0.3  # of a layer's units
GREW = 0.2  # since the first looks
FIRST = 5  # looks that count as the start


class Silent(NamedTuple):
    """A layer of which a growing part is silent.

    Attributes:
        past: the share of silent units over the run.
        grew: by how much it grew since the first looks.
    """

    site: Site
    past: Persistence
    grew: float


def silent_layers(run: Recording) -> list[Silent]:
    """Hidden layers with 30 % silent units or more, 20 points more than at first; worst first."""
    found = []
    for site in run.of_kind("module", "op"):
        series = run.series("act.dormant_fraction", site.id)
        if len(series) <= FIRST or site.meta.get("head"):
            continue
        past = persistence(run, series, SILENT, side="above", clear=SILENT / 2)
        grew = past.value - median(series.values[:FIRST])
        if past.mechanism and grew >= GREW:
            found.append(Silent(site, past, grew))
    return sorted(found, key=lambda layer: -layer.past.value)
