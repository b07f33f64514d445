"""The plain records that pass between rooms. Standard library only, no behaviour to speak of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

SiteKind = Literal[
    "run", "loss", "lossfn", "input", "module", "op", "parameter", "optimizer", "scheduler"
]


@dataclass(frozen=True, slots=True)
class Site:
    """A place in the training program that is observed.

    Attributes:
        id: unique in a run, from 0; site 0 is the run itself.
        kind: what is observed there.
        name: dotted name for the reader, such as ``layers.0`` or ``layers.0.weight``.
        type: class or function name, such as ``Linear`` or ``cross_entropy``.
        file: file of the user's line that made (module, parameter) or calls (op, loss) it.
        line: line in that file, from 1.
        order: position in execution order of the first step that was seen; -1 when it never ran.
        meta: further facts that do not change: shape, dtype, numel, role, module, ...
    """

    id: int
    kind: SiteKind
    name: str
    type: str = ""
    file: str | None = None
    line: int | None = None
    order: int = -1
    meta: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something seen that is not a number a step: kept once per (kind, site, key), latest data.

    Attributes:
        kind: one of the kinds in ``knowledge.facts.FACTS``.
        site: id of the site it belongs to, or None.
        key: tells apart several facts of one kind at one site (often ``file:line``).
        first_step: step at which it was first seen; 0 is the first step.
        last_step: step at which it was last seen.
        count: how often it was seen.
    """

    kind: str
    site: int | None
    key: str = ""
    file: str | None = None
    line: int | None = None
    first_step: int = 0
    last_step: int = 0
    count: int = 1
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """One call in a step: ``zero_grad``, ``backward``, ``clip``, ``step``, ...

    ``who`` is the id of the site it acted on (optimizer, loss or scheduler), or None.
    """

    kind: str
    who: int | None = None
    file: str | None = None
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Cycle:
    """An order of events that repeated unchanged from ``first_step`` to ``last_step`` inclusive."""

    first_step: int
    last_step: int
    events: tuple[Event, ...]


class Level(IntEnum):
    """How sure a finding is; the order is the order of gravity."""

    NOTE = 0
    SUSPECT = 1
    SICK = 2
    CONFIRMED = 3


Certainty = Literal["", "proven", "evident", "likely", "open"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """One measured figure beside the threshold it is judged by."""

    statistic: str
    value: float
    threshold: float | None = None
    unit: str = ""
    site: int | None = None


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says about a run.

    Attributes:
        code: from the ledger (filled in by the diagnosis, a rule leaves it empty).
        name: the rule's kebab-case name (filled in likewise).
        sites: ids of the sites that are ill, the worst first; empty when it is the whole run.
        file: overrides the first site's file when the fault lies at a call elsewhere.
        values: fills the placeholders of the page's summary.
        exclusions: benign contexts that were looked for, as ``(name, found)``.
        explained_by: codes of the findings that explain this one (filled in by the digest).
        certainty: of a root (filled in by the digest): ``proven`` by structure, bits or a probe;
            ``evident`` when all evidence agrees and nothing else would explain it; ``likely`` when
            other findings would (``rivals``); ``open`` when the harm is certain and its cause not
            found.
        rivals: codes of findings that would explain the same symptoms as this root.
    """

    level: Level
    sites: tuple[int, ...] = ()
    first_step: int = 0
    last_step: int = 0
    values: Mapping[str, Any] = field(default_factory=dict)
    evidence: tuple[Evidence, ...] = ()
    exclusions: tuple[tuple[str, bool], ...] = ()
    file: str | None = None
    line: int | None = None
    code: str = ""
    name: str = ""
    root: bool = False
    explained_by: tuple[str, ...] = ()
    explains: tuple[str, ...] = ()
    certainty: Certainty = ""
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Skipped:
    """A check that could not run, and why (a key of the message catalogue with its values)."""

    code: str
    why: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """The loss of the best predictor that never looks at its input."""

    kind: str
    value: float


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """The judged run: what every reporter renders."""

    script: str
    verdict: Literal["healthy", "suspect", "sick"]
    steps: int
    findings: tuple[Finding, ...]
    checks_run: tuple[str, ...]
    skipped: tuple[Skipped, ...]
    overhead: float | None = None
    baseline: Baseline | None = None
    sites: Mapping[int, Site] = field(default_factory=dict)
    meta: Mapping[str, Any] = field(default_factory=dict)
