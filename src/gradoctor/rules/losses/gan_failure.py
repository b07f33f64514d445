"""A generator gives one sample again and again, or nothing like the data."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import Persistence, as_pairs, cautious, is_final, persistence
from gradoctor.rules.evidence.exclusions import Exclusion
from gradoctor.rules.evidence.timing import EARLIEST

ALIKE = 0.1  # of the data's spread
TOLD_APART = 0.99  # of the pairs
AWAY = 0.5  # standard deviations of the data
NOISE = 3.0  # times what the means of two batches differ by chance
FEWEST = 300  # steps that a generator may take to find the data
ONGOING = 2000  # while the run goes on
LATEST = 0.5  # of the run: it must have been seen so behind this


@rule(proof="statistical", needs=("samples.diversity", "samples.separation", "samples.distance"))
def gan_failure(run: Recording) -> Iterator[Finding]:
    """Two models of different optimizers play against each other, and the generator has lost.

    Mode collapse: the generated batch has a tenth or less of the spread of the batch of data.
    A discriminator that wins: it puts the real sample first in 99 of 100 pairs, and the generated
    batch's mean stays half a standard deviation or more from that of the data. Losses are not
    asked: in a game they say nothing.

    Values: kind, generator, discriminator, diversity, separation, distance
    """
    for site in run.of_kind("input"):
        if not len(run.series("samples.diversity", site.id)) or not _are_rivals(run, site):
            continue
        alike = _held(run, "samples.diversity", site, ALIKE, "below")
        apart = _held(run, "samples.separation", site, TOLD_APART, "above")
        away = _held(run, "samples.distance", site, _bar(site), "above")
        lost = apart.mechanism and away.mechanism
        if not alike.mechanism and not lost:
            continue
        parts = (alike,) if alike.mechanism else (apart, away)
        early = Exclusion("too-early", run.steps < (FEWEST if is_final(run) else ONGOING))
        late = min(part.last for part in parts) >= LATEST * run.steps
        grading = cautious(
            persists=all(part.holds for part in parts) and late, harm=True, exclusions=(early,)
        )
        if grading == Level.NOTE:
            continue
        kind = "mode_collapse" if alike.mechanism else "discriminator_wins"
        yield _found(run, site, kind, parts, grading, early)
        return


def _found(
    run: Recording,
    site: Site,
    kind: str,
    parts: tuple[Persistence, ...],
    grading: Level,
    early: Exclusion,
) -> Finding:
    measured = {
        name: float(np.median(run.series(f"samples.{name}", site.id).values[-EARLIEST:]))
        for name in ("diversity", "separation", "distance")
    }
    apart, away = measured["separation"], measured["distance"]
    evidence = (
        (Evidence("samples.diversity", measured["diversity"], ALIKE, "ratio", site.id),)
        if kind == "mode_collapse"
        else (
            Evidence("samples.separation", apart, TOLD_APART, "fraction", site.id),
            Evidence("samples.distance", away, _bar(site), "std", site.id),
        )
    )
    return Finding(
        level=grading,
        sites=(site.id,),
        first_step=max(part.first for part in parts),
        last_step=min(part.last for part in parts),
        values={
            "kind": kind,
            "generator": " and ".join(site.meta.get("makers") or ()),
            "discriminator": str(site.meta.get("model") or site.name),
            **measured,
        },
        evidence=evidence,
        exclusions=as_pairs((early,)),
    )


def _held(run: Recording, name: str, site: Site, bar: float, side: str) -> Persistence:
    series = run.series(name, site.id)
    if side == "below":
        return persistence(run, series, bar, side="below", clear=2 * bar, since=EARLIEST)
    return persistence(run, series, bar, side="above", clear=0.5 * bar, since=EARLIEST)


def _bar(site: Site) -> float:
    """Means of small batches differ by chance."""
    batch = max(1, int((site.meta.get("shape") or [64])[0]))
    return max(AWAY, NOISE * float(np.sqrt(2.0 / batch)))


def _are_rivals(run: Recording, site: Site) -> bool:
    """The one is trained, the others are too, and no optimizer holds both."""
    own = _holders(run, str(site.meta.get("model")))
    others = [_holders(run, str(maker)) for maker in site.meta.get("makers") or ()]
    return bool(own) and bool(others) and all(o and not o & own for o in others)


def _holders(run: Recording, model: str) -> set[int]:
    """The optimizers that hold weights of a model."""
    held = set()
    for fact in run.facts_of("wiring"):
        owner = run.sites.get(fact.site) if fact.site is not None else None
        optimizer = fact.data.get("optimizer")
        if owner is not None and optimizer is not None and _is_of(owner, model):
            held.add(int(optimizer))
    return held


def _is_of(parameter: Site, model: str) -> bool:
    return parameter.meta.get("model") == model or parameter.name.startswith(f"{model}.")
