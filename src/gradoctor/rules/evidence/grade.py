"""From the four answers to a level."""

from __future__ import annotations

from collections.abc import Iterable

from gradoctor.records import Level
from gradoctor.rules.evidence.exclusions import Exclusion


class UndecidedError(Exception):
    """A check that cannot be decided on this run; the diagnosis lists it as skipped.

    Args:
        why: ``key`` or ``key:value``, such as ``too-short:12/20``.
    """

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


def grade(*, persists: bool, harm: bool | None, exclusions: Iterable[Exclusion] = ()) -> Level:
    """The level of a disease whose mechanism was seen.

    Without harm a mechanism is worth a note, however long it lasts. With harm and persistence it
    is sick; with only one of the two (harm that could not be tested counts as half) it is suspect.
    Each benign context that was found takes one level off.
    """
    if persists and harm:
        level = Level.SICK
    elif harm or (persists and harm is None):
        level = Level.SUSPECT
    else:
        level = Level.NOTE
    return Level(max(Level.NOTE, level - sum(e.found for e in exclusions)))


def cautious(*, persists: bool, harm: bool, exclusions: Iterable[Exclusion] = ()) -> Level:
    """The level of a disease that no proof backs and no long experience: suspect at most.

    Suspect needs persistence and harm and no benign context; a note is what is left.
    """
    sure = persists and harm and not any(e.found for e in exclusions)
    return Level.SUSPECT if sure else Level.NOTE
