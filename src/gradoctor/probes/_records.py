"""The records of a probe."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from gradoctor.trials import Course


@dataclass(frozen=True, slots=True)
class Arm:
    """One of a probe's trials.

    Attributes:
        name: of the arm, for the reader and for the answer.
        interventions: as in ``Trial``.
    """

    name: str
    interventions: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What a probe says.

    Attributes:
        probe: its name.
        verdict: one of the probe's own words for what was seen.
        bad: something is wrong in the script.
        values: what the sentences name, and what rules may weigh.
        arms: the losses of each arm, by its name.
        cautions: keys of what limits the answer.
        steps: training steps of the longest arm.
        seconds: that it took.
    """

    probe: str
    verdict: str
    bad: bool
    values: Mapping[str, Any] = field(default_factory=dict)
    arms: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    cautions: tuple[str, ...] = ()
    steps: int = 0
    seconds: float = 0.0

    def to_data(self) -> dict[str, Any]:
        """As JSON can hold it; ``from_data`` reads it again."""
        return {
            "name": self.probe, "verdict": self.verdict, "bad": self.bad,
            "values": plain(dict(self.values)),
            "arms": {name: plain(list(losses)) for name, losses in self.arms.items()},
            "cautions": list(self.cautions), "steps": self.steps, "seconds": self.seconds,
        }  # fmt: skip

    @classmethod
    def from_data(cls, data: Mapping[str, Any]) -> Answer:
        """An answer that ``to_data`` wrote."""
        arms = {
            name: tuple(math.nan if v is None else float(v) for v in losses)
            for name, losses in data["arms"].items()
        }
        return cls(
            data["name"], data["verdict"], bool(data["bad"]), dict(data["values"]), arms,
            tuple(data["cautions"]), int(data["steps"]), float(data["seconds"]),
        )  # fmt: skip


def plain(value: Any) -> Any:
    """The value without what JSON has no number for."""
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


@dataclass(frozen=True, slots=True)
class Probe:
    """A question.

    Attributes:
        steps: training steps of each arm, unless asked otherwise.
        next: the arm to run after those that have run; None when they suffice. It is given the
            courses so far and the number of steps.
        answer: what the courses say.
        spare: a further arm runs only because the one before failed.
        cheap: one short trial answers it as a rule, so that ``run --deep`` may ask it by itself.
    """

    steps: int
    next: Callable[[Mapping[str, Course], int], Arm | None]
    answer: Callable[[Mapping[str, Course]], Answer]
    spare: bool = False
    cheap: bool = False


def in_turn(*arms: Arm) -> Callable[[Mapping[str, Course], int], Arm | None]:
    """All of some arms, one after the other."""
    return lambda done, steps: next((arm for arm in arms if arm.name not in done), None)
