"""Who holds, moves and names a parameter: what the wiring rules share."""

from __future__ import annotations

from gradoctor.recording import Recording
from gradoctor.records import Event, Fact


def name_of(run: Recording, site: int | None) -> str:
    """The name of a site, '' when it is unknown."""
    found = run.sites.get(site) if site is not None else None
    return found.name if found is not None else ""


def model_of(run: Recording, fact: Fact) -> str | None:
    """The top-level model that a fact's site belongs to, None when that is unknown."""
    found = run.sites.get(fact.site) if fact.site is not None else None
    model = found.meta.get("model") if found is not None else None
    return str(model) if model else None


def moves_by_hand(run: Recording, fact: Fact) -> bool:
    """The parameter changes although no gradient of its own moves it (EMA, target network, copy).

    An optimizer passes over a parameter without gradient, so whatever moves it is the script.
    """
    if fact.data.get("moved_unowned"):
        return True
    moved = run.series("weight.movement", fact.site if fact.site is not None else -1).values
    return bool(len(moved)) and float(moved.max()) > 0


def first_event(run: Recording, kind: str) -> Event | None:
    """The first event of a kind in the run's most frequent order of events, else in any."""
    usual = sorted(run.cycles, key=lambda c: c.first_step - c.last_step)
    return next((e for c in usual for e in c.events if e.kind == kind), None)
