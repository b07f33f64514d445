"""What a probe has shown: a counterfactual run confirms a finding, or takes it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gradoctor.recording import Recording
from gradoctor.records import Level


class Probed(NamedTuple):
    """The answer of a probe (``fact:probe``).

    Attributes:
        verdict: the probe's own word.
        values: what it measured.
        cautions: what limits it.
    """

    verdict: str
    values: Mapping[str, Any]
    cautions: tuple[str, ...]

    def number(self, name: str, default: float = 0.0) -> float:
        """A value as a number; what was not finite is written as None."""
        value = self.values.get(name)
        return float(value) if isinstance(value, int | float) else default


def probed(run: Recording, name: str) -> Probed | None:
    """The answer of a probe for this run; None when it was never asked."""
    for fact in run.facts_of("probe"):
        if fact.key == name:
            data = fact.data
            return Probed(
                str(data.get("verdict", "")), data.get("values") or {},
                tuple(data.get("cautions") or ()),
            )  # fmt: skip
    return None


def weighed(level: Level, *, confirmed: bool, refuted: bool) -> Level:
    """The level of a finding after its counterfactual run.

    What was at least suspect is confirmed, or becomes a note; a note stays one.
    """
    if level < Level.SUSPECT or confirmed == refuted:
        return level
    return Level.CONFIRMED if confirmed else Level.NOTE
