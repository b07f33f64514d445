"""Units fall silent without being dead."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, cautious, diverged, persistence, stuck
from gradoctor.rules.evidence.exclusions import converged
from gradoctor.rules.evidence.robust import median

SILENT = 0.3  # of a layer's units
GREW = 0.2  # since the first looks
FIRST = 5  # looks that count as the start


@rule(proof="statistical", needs=("act.dormant_fraction",))
def dormant_units(run: Recording) -> Iterator[Finding]:
    """A growing part of a layer's units is silent against the others.

    Mechanism: a unit is dormant when its mean magnitude is at most 2.5 % of the layer's; 30 % or
    more of a layer are, and the share grew by 20 points since the start. Harm: the loss diverged or
    is stuck at the trivial baseline. Without harm it is a note: supervised networks can spare many.

    Values: dormant, layers, module, grew
    """
    found = []
    for site in run.of_kind("module", "op"):
        series = run.series("act.dormant_fraction", site.id)
        if len(series) <= FIRST or site.meta.get("head"):
            continue
        past = persistence(run, series, SILENT, side="above", clear=SILENT / 2)
        grew = past.value - median(series.values[:FIRST])
        if past.mechanism and grew >= GREW:
            found.append((past, grew, site))
    if not found:
        return
    past, grew, worst = max(found, key=lambda f: f[0].value)
    exclusions = (converged(run),)
    yield Finding(
        level=cautious(
            persists=any(p.holds for p, _, _ in found),
            harm=diverged(run).found or stuck(run).found,
            exclusions=exclusions,
        ),
        sites=tuple(s.id for _, _, s in sorted(found, key=lambda f: -f[0].value)),
        first_step=min(p.first for p, _, _ in found),
        last_step=max(p.last for p, _, _ in found),
        values={
            "dormant": past.value, "layers": len(found), "module": worst.name, "grew": grew,
        },
        evidence=(Evidence("act.dormant_fraction", past.value, SILENT, "fraction", worst.id),),
        exclusions=as_pairs(exclusions),
    )  # fmt: skip
