"""The latent variable of an autoencoder says nothing of the sample."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import (
    Persistence,
    as_pairs,
    cautious,
    is_final,
    persistence,
    recent_medians,
)
from gradoctor.rules.evidence.exclusions import adversarial, too_early, warming_up
from gradoctor.rules.evidence.timing import EARLIEST

COLLAPSED = 0.9  # of the dimensions
LATEST = 0.5  # of the run: it must have been seen so behind this


@rule(proof="statistical", needs=("latent.collapsed", "latent.active"))
def posterior_collapse(run: Recording) -> Iterator[Finding]:
    """Each sample's latent distribution is the prior.

    Mechanism: mean + std * noise is drawn, and for nine of ten dimensions or more the divergence
    from N(0, 1) is below 0.01 nats. Harm: the mean of no dimension at all varies from sample to
    sample, so nothing of the sample gets through. A few dimensions in use are a note.
    Several latent variables are judged only when all of them are so.

    Values: module, collapsed, active, dimensions, kl
    """
    sites = [s for s in run.of_kind("op") if len(run.series("latent.collapsed", s.id)) >= EARLIEST]
    pasts = [_past(run, site) for site in sites]
    if not sites or not all(past.mechanism for past in pasts) or adversarial(run).found:
        return
    active = recent_medians(run, "latent.active")
    exclusions = (too_early(run, final=is_final(run)), warming_up(run))
    unused = all(active.get(s.id, 1.0) == 0 for s in sites)
    late = min(past.last for past in pasts) >= LATEST * run.steps
    level = cautious(
        persists=all(past.holds for past in pasts) and late, harm=unused, exclusions=exclusions
    )
    if level == Level.NOTE and (unused or exclusions[0].found):
        return  # not long enough to be the outcome, and nothing else to say
    site, past = sites[0], pasts[0]
    dimensions = math.prod((site.meta.get("out_shape") or [1, 1])[1:])
    kl = recent_medians(run, "latent.kl").get(site.id, float("nan"))
    yield Finding(
        level=level,
        sites=tuple(s.id for s in sites),
        first_step=past.first,
        last_step=past.last,
        values={
            "module": site.name,
            "collapsed": past.value,
            "active": round(active.get(site.id, 0.0) * dimensions),
            "dimensions": dimensions,
            "kl": kl,
        },
        evidence=(
            Evidence("latent.collapsed", past.value, COLLAPSED, "fraction", site.id),
            Evidence("latent.active", active.get(site.id, 0.0), None, "fraction", site.id),
            Evidence("latent.kl", kl, None, "nat", site.id),
        ),
        exclusions=as_pairs(exclusions),
    )


def _past(run: Recording, site: Site) -> Persistence:
    series = run.series("latent.collapsed", site.id)
    return persistence(run, series, COLLAPSED, side="above", clear=COLLAPSED / 2, since=EARLIEST)
