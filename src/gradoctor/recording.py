"""A recorded run in memory: what rules and views read. numpy, no torch."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from gradoctor.records import Cycle, Fact, Site, SiteKind

Floats = NDArray[np.float32]
Steps = NDArray[np.int64]
_T = TypeVar("_T")


@dataclass(frozen=True)
class Table:
    """One statistic over steps and sites.

    Attributes:
        steps: ``[T]``, rising.
        sites: ids of the columns, ``S`` of them.
        values: ``[T, S]``; NaN where nothing was observed (the mean where steps were rolled up).
        low, high: ``[T, S]`` smallest and largest value in a rolled-up row; equal ``values`` else.
    """

    steps: Steps
    sites: tuple[int, ...]
    values: Floats
    low: Floats
    high: Floats

    @cached_property
    def _column(self) -> dict[int, int]:
        return {site: i for i, site in enumerate(self.sites)}

    def series(self, site: int) -> Series:
        """The observed values of one site, unobserved steps dropped."""
        column = self._column.get(site)
        if column is None:
            return EMPTY_SERIES
        values = self.values[:, column]
        seen = ~np.isnan(values)
        return Series(self.steps[seen], values[seen])


@dataclass(frozen=True)
class Series:
    """Observed values of one statistic at one site: ``steps [T]`` and ``values [T]``, no NaN."""

    steps: Steps
    values: Floats

    def __len__(self) -> int:
        return len(self.values)

    def after(self, step: int) -> Series:
        """The part from ``step`` on."""
        keep = self.steps >= step
        return Series(self.steps[keep], self.values[keep])


EMPTY_SERIES = Series(np.empty(0, np.int64), np.empty(0, np.float32))
EMPTY_TABLE = Table(
    np.empty(0, np.int64),
    (),
    np.empty((0, 0), np.float32),
    np.empty((0, 0), np.float32),
    np.empty((0, 0), np.float32),
)


@dataclass(frozen=True)
class Recording:
    """Everything known of a run. Built by ``store.reader``, or by hand in tests.

    Attributes:
        meta: script, argv, versions, exit status, ... (see docs/architecture.md).
        sites: all sites by id.
        load: gives the table of a statistic; called once each, then kept.
        statistics: names of the statistics that were recorded.
        facts: all facts.
        cycles: orders of events, by rising first step.
        steps: number of training steps seen.
    """

    meta: Mapping[str, Any]
    sites: Mapping[int, Site]
    load: Callable[[str], Table]
    statistics: frozenset[str]
    facts: tuple[Fact, ...] = ()
    cycles: tuple[Cycle, ...] = ()
    steps: int = 0
    _tables: dict[str, Table] = field(default_factory=dict, init=False, repr=False, compare=False)
    _derived: dict[Hashable, Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def table(self, statistic: str) -> Table:
        """The table of a statistic; an empty one when it was never recorded."""
        if statistic not in self.statistics:
            return EMPTY_TABLE
        if statistic not in self._tables:
            self._tables[statistic] = self.load(statistic)
        return self._tables[statistic]

    def series(self, statistic: str, site: int = 0) -> Series:
        """The observed values of a statistic at a site (site 0 is the run)."""
        return self.table(statistic).series(site)

    def derive(self, key: Hashable, make: Callable[[Recording], _T]) -> _T:
        """What ``make`` computes from this recording; computed once, then kept under ``key``."""
        if key not in self._derived:
            self._derived[key] = make(self)
        return cast(_T, self._derived[key])

    def of_kind(self, *kinds: SiteKind) -> tuple[Site, ...]:
        """The sites of some kinds, in execution order, those that never ran last."""

        def chosen(run: Recording) -> tuple[Site, ...]:
            found = (s for s in run.sites.values() if s.kind in kinds)
            return tuple(sorted(found, key=lambda s: (s.order < 0, s.order, s.id)))

        return self.derive(("of_kind", *kinds), chosen)

    def facts_of(self, kind: str, site: int | None = None) -> tuple[Fact, ...]:
        """The facts of a kind, of one site when it is given."""

        def sorted_out(run: Recording) -> dict[Hashable, list[Fact]]:
            found: dict[Hashable, list[Fact]] = {}
            for fact in run.facts:
                found.setdefault(fact.kind, []).append(fact)
                found.setdefault((fact.kind, fact.site), []).append(fact)
            return found

        known = self.derive("facts_of", sorted_out)
        return tuple(known.get(kind if site is None else (kind, site), ()))

    def until(self, step: int) -> Recording:
        """The run as it would have been had it stopped after ``step`` (facts: as they stood)."""

        def load(statistic: str) -> Table:
            whole = self.table(statistic)
            keep = whole.steps <= step
            return Table(
                whole.steps[keep],
                whole.sites,
                whole.values[keep],
                whole.low[keep],
                whole.high[keep],
            )

        return replace(
            self,
            load=load,
            facts=tuple(f for f in self.facts if f.first_step <= step),
            cycles=tuple(
                replace(c, last_step=min(c.last_step, step))
                for c in self.cycles
                if c.first_step <= step
            ),
            steps=min(self.steps, step + 1),
        )


def from_rows(
    rows: Mapping[str, Mapping[int, Sequence[float]]],
    sites: Iterable[Site],
    *,
    steps: Sequence[int] | None = None,
    facts: Iterable[Fact] = (),
    cycles: Iterable[Cycle] = (),
    meta: Mapping[str, Any] | None = None,
) -> Recording:
    """Make a recording from lists of floats: ``rows[statistic][site] = values`` (tests, imports).

    Args:
        rows: for each statistic and site id one value a step; NaN where nothing was observed.
        sites: the sites named in ``rows``.
        steps: the step of each value; 0, 1, 2, ... when left out.

    Raises:
        ValueError: rows of one statistic differ in length.
    """
    tables: dict[str, Table] = {}
    total = 0
    for statistic, columns in rows.items():
        values = np.array([list(c) for c in columns.values()], np.float32).T
        index = np.arange(len(values), dtype=np.int64) if steps is None else np.asarray(steps)
        index = index[: len(values)].astype(np.int64)
        tables[statistic] = Table(index, tuple(columns), values, values, values)
        total = max(total, int(index[-1]) + 1 if len(index) else 0)
    return Recording(
        meta=dict(meta or {}),
        sites={s.id: s for s in sites},
        load=tables.__getitem__,
        statistics=frozenset(tables),
        facts=tuple(facts),
        cycles=tuple(cycles),
        steps=total,
    )
