"""What an experiment gives: a verdict from what it measured, the figures, the pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from gradoctor.knowledge.claims import VERDICTS
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Picture, from_data, to_data


@dataclass(frozen=True, slots=True)
class Spread:
    """A figure over several runs: the median and the range."""

    middle: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, values: Iterable[float]) -> Spread:
        """The spread of some values (at least one)."""
        known = sorted(float(v) for v in values)
        return cls(median(known), known[0], known[-1], len(known))

    def __str__(self) -> str:
        if self.runs == 1 or self.low == self.high:
            return f"{self.middle:.3g}"
        dash = "…" if self.low < 0 else "–"  # a dash before a minus sign cannot be read
        return f"{self.middle:.3g} ({self.low:.3g}{dash}{self.high:.3g})"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one experiment.

    Attributes:
        verdict: a key of ``VERDICTS``, decided by the experiment from what it measured.
        measured: one or two sentences with the figures in them.
        figures: by name (``slope.relu_he``), for a machine; compared between runs.
        pictures: what to look at, the telling one first.
        seeds: how many seeds the figures come from; 1 where chance plays no part.
    """

    verdict: str
    measured: Words
    figures: Mapping[str, Spread] = field(default_factory=dict)
    pictures: tuple[Picture, ...] = ()
    seeds: int = 1

    def __post_init__(self) -> None:
        if self.verdict not in VERDICTS:
            raise ValueError(f"{self.verdict!r} is none of {', '.join(VERDICTS)}")

    def to_data(self) -> dict[str, Any]:
        """The outcome as JSON can hold it."""
        return {
            "verdict": self.verdict, "measured": list(self.measured), "seeds": self.seeds,
            "figures": {k: [s.middle, s.low, s.high, s.runs] for k, s in self.figures.items()},
            "pictures": [to_data(picture) for picture in self.pictures],
        }  # fmt: skip

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Outcome:
        """An outcome that ``to_data`` wrote."""
        return cls(
            data["verdict"],
            Words(*data["measured"]),
            {name: Spread(*spread) for name, spread in data["figures"].items()},
            tuple(from_data(picture) for picture in data["pictures"]),
            data["seeds"],
        )
