"""What a probe has shown: a counterfactual run confirms a finding, or takes it back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gradoctor.recording import Recording
from gradoctor.records import Level

BETTER = 1.0  # bits by which standardised inputs must help to have helped
_SPANS = ("span", "span_standardised", "loudest", "loudest_standardised")


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
    """The answer of a probe for this run; None when it was never asked, or cut short."""
    for fact in run.facts_of("probe"):
        if fact.key == name and "cut-short" not in (fact.data.get("cautions") or ()):
            data = fact.data
            return Probed(
                str(data.get("verdict", "")), data.get("values") or {},
                tuple(data.get("cautions") or ()),
            )  # fmt: skip
    return None


def at_fault(run: Recording) -> str:
    """What the probe init blames for an ill signal: ``weights``, ``inputs``, or '' for neither.

    Weights are to blame when noise in the place of the data is as ill and standardised data are no
    better; inputs are when standardised ones are well.
    """
    trial = probed(run, "init")
    if trial is None or trial.verdict not in ("init", "data-scale"):
        return ""
    if trial.verdict == "data-scale":
        return "inputs"
    seen = [trial.values.get(name) for name in _SPANS]
    if not all(isinstance(value, int | float) for value in seen):
        return ""
    span, without, loudest, quieted = (float(value) for value in seen if value is not None)
    healed = abs(span) - abs(without) > BETTER or loudest - quieted > BETTER
    return "" if healed else "weights"


def weighed(level: Level, *, confirmed: bool, refuted: bool) -> Level:
    """The level of a finding after its counterfactual run.

    What was at least suspect is confirmed, or becomes a note; a note stays one.
    """
    if level < Level.SUSPECT or confirmed == refuted:
        return level
    return Level.CONFIRMED if confirmed else Level.NOTE
