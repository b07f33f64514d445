"""Embeddings that are compared with each other have all become the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, cautious, is_final, persistence, recent_medians
from gradoctor.rules.evidence.exclusions import Exclusion, too_early, warming_up
from gradoctor.rules.evidence.loss import level
from gradoctor.rules.evidence.robust import median
from gradoctor.rules.evidence.timing import EARLIEST

NARROW = 0.1  # of the spread that directions have when they cancel
STILL = 1.5  # times by which a teacher's spread changes when it does not learn
LATEST = 0.5  # of the run: it must have been seen so behind this


@rule(proof="statistical", needs=("embedding.spread",))
def ssl_representation_collapse(run: Recording) -> Iterator[Finding]:
    """Every sample is embedded in the same direction, on both sides of the comparison.

    Mechanism: the directions of the embeddings that meet (in a cosine similarity, or normalised
    rows) have a tenth or less of the spread of random ones, on each side. Data on one side may be
    narrow by nature, as may a teacher that does not learn: then nothing is said. The collapse is
    the harm: what was learnt cannot tell two samples apart.

    Values: module, spread, width, sides
    """
    spreads = recent_medians(run, "embedding.spread")
    for width, sites in sorted(_meetings(run).items()):
        series = [run.series("embedding.spread", s.id) for s in sites]
        pasts = [
            persistence(run, s, NARROW, side="below", clear=2 * NARROW, since=EARLIEST)
            for s in series
        ]
        if not all(past.mechanism for past in pasts) or _is_frozen(run, sites):
            continue
        known = level(run)
        exclusions = (
            too_early(run, final=is_final(run)),
            warming_up(run),
            Exclusion("converged", known is not None and known.now > 0.5),
        )
        late = min(past.last for past in pasts) >= LATEST * run.steps
        grading = cautious(
            persists=all(past.holds for past in pasts) and late, harm=True, exclusions=exclusions
        )
        if grading == Level.NOTE:
            continue
        worst = max(range(len(sites)), key=lambda i: pasts[i].value)
        yield Finding(
            level=grading,
            sites=tuple(s.id for s in sites),
            first_step=max(past.first for past in pasts),
            last_step=pasts[worst].last,
            values={
                "module": sites[worst].name,
                "spread": spreads.get(sites[worst].id, pasts[worst].value),
                "width": width,
                "sides": len(sites),
            },
            evidence=tuple(
                Evidence("embedding.spread", past.value, NARROW, "", site.id)
                for site, past in zip(sites, pasts, strict=True)
            ),
            exclusions=as_pairs(exclusions),
        )
        return


def _meetings(run: Recording) -> dict[int, list[Site]]:
    """The embeddings that are compared, by width: those that models made, and on two sides."""
    seen = [(s, len(run.series("embedding.spread", s.id))) for s in run.of_kind("op")]
    most = max((count for _, count in seen), default=0)
    groups: dict[int, list[Site]] = defaultdict(list)
    for site, count in seen:
        if count >= max(EARLIEST, most // 2):
            groups[int((site.meta.get("out_shape") or [0])[-1])].append(site)
    return {
        width: sites
        for width, sites in groups.items()
        if (len(sites) > 1 or sites[0].meta.get("paired"))
        and all(s.meta.get("source") != "data" for s in sites)
        and any(s.meta.get("source") == "graph" for s in sites)
    }


def _is_frozen(run: Recording, sites: list[Site]) -> bool:
    """A side that no gradient reaches was as narrow from the first, and stays so."""
    for site in sites:
        values = run.series("embedding.spread", site.id).values
        if site.meta.get("source") == "graph":
            continue
        first, last = median(values[:3]), median(values[-5:])
        if first < NARROW and max(first, last) <= STILL * max(min(first, last), 1e-12):
            return True
    return False
