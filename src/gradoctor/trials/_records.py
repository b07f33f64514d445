"""The records of a trial."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Trial:
    """A script, what is changed in it, and how long it runs.

    Attributes:
        target: the script and its arguments, or ``-m``, the module and its arguments.
        interventions: options (JSON-able) of each intervention by its name in
            ``interventions.INTERVENTIONS``, in the order they act.
        steps: it is ended after so many training steps.
        seed: of the generators of Python, numpy and torch, before the script's own first line; a
            seed that the script sets itself holds from there on.
        db: a run file that the whole capture writes to; without it only losses are taken.
    """

    target: tuple[str, ...]
    interventions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    steps: int = 100
    seed: int = 0
    db: str | None = None


@dataclass(frozen=True, slots=True)
class Course:
    """How a trial went.

    Attributes:
        losses: the leading loss of each step; NaN where it was not finite.
        batches: a fingerprint of what the first training forward of each step was given.
        facts: what the interventions stated.
        ended: ``stopped`` after its steps, ``finished`` before them, ``crashed``, ``killed`` or
            ``timeout``.
        error: ``type``, ``message``, ``file`` and ``line`` of the exception that ended it.
        said: the last lines on its stderr.
    """

    losses: tuple[float, ...] = ()
    batches: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    ended: str = "finished"
    error: Mapping[str, Any] | None = None
    said: str = ""
    seconds: float = 0.0

    @property
    def steps(self) -> int:
        """Training steps that were seen."""
        return len(self.losses)

    @classmethod
    def from_lines(cls, lines: Iterable[str]) -> Course:
        """What the child wrote, a JSON object a line; a last line that was cut short is left out.

        ``{"step": {site: loss}, "batch": fingerprint}``, ``{"fact": {...}}`` or ``{"end": how,
        "error": {...}}``.
        """
        steps: list[Mapping[str, float]] = []
        batches: list[str] = []
        facts: dict[str, Any] = {}
        ended, error = "killed", None
        for line in lines:
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if "step" in said:
                steps.append(said["step"])
                batches.append(str(said.get("batch", "")))
            facts |= said.get("fact", {})
            if "end" in said:
                ended, error = said["end"], said.get("error")
        return cls(_leading(steps), tuple(batches), facts, ended, error)


def _leading(steps: list[Mapping[str, float]]) -> tuple[float, ...]:
    """The loss that most steps have; the first of equals."""
    counts = Counter(site for step in steps for site in step)
    if not counts:
        return tuple(math.nan for _ in steps)
    site = max(counts, key=lambda s: (counts[s], -int(s)))
    return tuple(float(step.get(site, math.nan)) for step in steps)
