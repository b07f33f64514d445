"""A router sends nearly everything to a few experts."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import persistence, recent_medians

STARVED = 0.5  # of the experts
LONGEST = 100  # steps before which experts may still be unused


@rule(proof="statistical", needs=("router.starved", "router.load_max"))
def moe_router_collapse(run: Recording) -> Iterator[Finding]:
    """Half of the experts or more get next to no tokens.

    Mechanism: an expert is starved when it got less than a tenth of an equal share over the last 20
    looks (shares are only known once that would have been 30 tokens). Harm is the capacity itself:
    what gets no token gets no gradient. Suspect when it lasts, a note before.

    Values: starved, experts, load, module
    """
    loads = recent_medians(run, "router.load_max")
    for site in run.of_kind("op"):
        series = run.series("router.starved", site.id)
        past = persistence(run, series, STARVED, side="above", clear=STARVED / 2)
        if not past.mechanism or run.steps < LONGEST:
            continue
        yield Finding(
            Level.SUSPECT if past.holds else Level.NOTE,
            (site.id,),
            past.first,
            past.last,
            {
                "starved": past.value,
                "experts": int(site.meta.get("experts") or 0),
                "load": loads.get(site.id, float("nan")),
                "module": site.name,
            },
            (
                Evidence("router.starved", past.value, STARVED, "fraction", site.id),
                Evidence("router.load_max", loads.get(site.id, 0.0), None, "fraction", site.id),
            ),
        )
        return
