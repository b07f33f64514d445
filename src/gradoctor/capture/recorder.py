"""Collects what was seen of one step and hands it to the sink as one float32 block."""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from gradoctor.records import Event, Fact, Site, SiteKind

if TYPE_CHECKING:
    import torch

Columns = tuple[str, ...]


class Look(IntEnum):
    """How deeply a step is looked at."""

    LIGHT = 0
    FULL = 1
    DEEP = 2


class Sink(Protocol):
    """Where recorded things go (``store.writer.RunWriter``, or a list in tests).

    Every call returns at once and never raises.
    """

    def site(self, site: Site) -> None:
        """Add a site, or replace the one with the same id."""

    def frame(self, step: int, look: int, layout: Layout, block: Sequence[float]) -> None:
        """Add the numbers of one step; ``block[i]`` belongs to ``layout.columns[i]``."""

    def fact(self, fact: Fact) -> None:
        """Add a fact, or replace the one with the same kind, site and key."""

    def cycle(self, step: int, events: tuple[Event, ...]) -> None:
        """Add the order of events of one step; the sink folds equal neighbours together."""

    def meta(self, key: str, value: Any) -> None:
        """Set a JSON-able property of the run."""


class Layout:
    """An order of ``(site, statistic)`` columns; frames with the same columns share one."""

    __slots__ = ("columns", "id")

    def __init__(self, id: int, columns: tuple[tuple[int, str], ...]) -> None:
        self.id = id
        self.columns = columns


class Recorder:
    """Holds the step that is being watched; everything in capture writes through it.

    Attributes:
        step: index of the current step, from 0.
        look: how deeply the current step is looked at.
    """

    def __init__(self, sink: Sink) -> None:
        self.sink = sink
        self.step = 0
        self.look = Look.LIGHT
        self._sites: dict[Hashable, Site] = {}
        self._by_id: list[Site] = []
        self._facts: dict[tuple[str, int | None, str], Fact] = {}
        self._dirty: dict[tuple[str, int | None, str], None] = {}
        self._events: list[Event] = []
        self._columns: list[tuple[tuple[int, ...], Columns]] = []
        self._values: list[torch.Tensor | Sequence[float]] = []
        self._layouts: dict[tuple[tuple[tuple[int, ...], Columns], ...], Layout] = {}
        self._waiting: tuple[int, int, Layout, Gathering] | None = None
        self.site("run", "run", key="run")

    # ---- sites -------------------------------------------------------------------------------
    def site(
        self,
        kind: SiteKind,
        name: str,
        *,
        key: Hashable,
        type: str = "",
        file: str | None = None,
        line: int | None = None,
        order: int = -1,
        meta: dict[str, Any] | None = None,
    ) -> int:
        """The id of the site with this key; it is made at the first call."""
        known = self._sites.get((kind, key))
        if known is not None:
            return known.id
        made = Site(len(self._by_id), kind, name, type, file, line, order, meta or {})
        self._sites[kind, key] = made
        self._by_id.append(made)
        self.sink.site(made)
        return made.id

    def update_site(self, id: int, **changes: Any) -> None:
        """Replace some fields of a site (its name once it is known, its order, its meta)."""
        from dataclasses import replace

        made = replace(self._by_id[id], **changes)
        if made == self._by_id[id]:
            return
        self._by_id[id] = made
        for key, site in self._sites.items():
            if site.id == id:
                self._sites[key] = made
                break
        self.sink.site(made)

    def get(self, id: int) -> Site:
        """The site with this id."""
        return self._by_id[id]

    # ---- numbers -----------------------------------------------------------------------------
    def put(self, site: int, columns: Columns, values: torch.Tensor | Sequence[float]) -> None:
        """Numbers of one site at this step, in the order of ``columns``.

        ``values`` may be a 1-D tensor still on its device: nothing waits for it here.
        """
        self._columns.append(((site,), columns))
        self._values.append(values)

    def put_table(self, sites: tuple[int, ...], columns: Columns, values: torch.Tensor) -> None:
        """Numbers of several sites at once: ``values`` is ``[len(sites), len(columns)]``."""
        if sites:
            self._columns.append((sites, columns))
            self._values.append(values)

    # ---- facts and events --------------------------------------------------------------------
    def fact(
        self,
        kind: str,
        site: int | None = None,
        key: str = "",
        *,
        file: str | None = None,
        line: int | None = None,
        count: int = 1,
        **data: Any,
    ) -> Fact:
        """State a fact; the same (kind, site, key) again adds to its count, newer data wins."""
        at = (kind, site, key)
        old = self._facts.get(at)
        if old is None:
            made = Fact(kind, site, key, file, line, self.step, self.step, count, data)
        else:
            made = Fact(
                kind, site, key, file or old.file, line or old.line, old.first_step, self.step,
                old.count + count, {**old.data, **data},
            )  # fmt: skip
        self._facts[at] = made
        self._dirty[at] = None
        return made

    def known_fact(self, kind: str, site: int | None = None, key: str = "") -> Fact | None:
        """The fact as it stands, or None."""
        return self._facts.get((kind, site, key))

    def event(
        self, kind: str, who: int | None = None, file: str | None = None, line: int | None = None
    ) -> None:
        """Add a call to the order of this step's events; equal neighbours are kept apart."""
        if len(self._events) < 256:
            self._events.append(Event(kind, who, file, line))

    # ---- the step's end ----------------------------------------------------------------------
    def close_step(self) -> None:
        """Send this step's block, facts and events, and go on to the next step."""
        self._send_columns()
        self.flush_facts()
        self.sink.cycle(self.step, tuple(self._events))
        self._events = []
        self.step += 1

    def _send_columns(self) -> None:
        self._send_waiting()
        if self._columns:
            key = tuple(self._columns)
            layout = self._layouts.get(key)
            if layout is None:
                columns = tuple((s, name) for sites, names in key for s in sites for name in names)
                layout = self._layouts[key] = Layout(len(self._layouts), columns)
            self._waiting = (self.step, int(self.look), layout, Gathering(self._values))
            if self._waiting[3].ready:
                self._send_waiting()
            self._columns, self._values = [], []

    def forget(self) -> None:
        """Drop the numbers of a step that has begun and will never end."""
        self._columns, self._values = [], []

    def close_after(self) -> None:
        """Send the numbers that came after the last step; they count with that step."""
        if self.step:
            self.step -= 1
            self._send_columns()
            self.step += 1

    def _send_waiting(self) -> None:
        if self._waiting is not None:
            step, look, layout, gathering = self._waiting
            self._waiting = None
            self.sink.frame(step, look, layout, gathering.block())

    def finish(self) -> None:
        """Send what is still on its way from a device, and the latest facts."""
        self._send_waiting()
        self.flush_facts()

    def flush_facts(self) -> None:
        """Send the facts that changed since the last time."""
        for at in self._dirty:
            self.sink.fact(self._facts[at])
        self._dirty.clear()


class Gathering:
    """All values of a step on their way to the host: one transfer for each device.

    On CUDA the copy goes to pinned memory and is read one step later, so that nothing waits.
    """

    def __init__(self, values: Sequence[torch.Tensor | Sequence[float]]) -> None:
        import torch

        self._values = [
            v.detach().reshape(-1) if isinstance(v, torch.Tensor) else v for v in values
        ]
        by_device: dict[torch.device, list[torch.Tensor]] = {}
        for value in self._values:
            if isinstance(value, torch.Tensor):
                by_device.setdefault(value.device, []).append(value.float())
        self._moved: dict[torch.device, torch.Tensor] = {}
        self._copied: list[torch.cuda.Event] = []
        self._lengths = [v.numel() if isinstance(v, torch.Tensor) else 0 for v in self._values]
        self._devices = [v.device if isinstance(v, torch.Tensor) else None for v in self._values]
        for device, parts in by_device.items():
            flat = torch.cat(parts)
            if device.type == "cuda":
                pinned = torch.empty(flat.shape, dtype=torch.float32, pin_memory=True)
                flat = pinned.copy_(flat, non_blocking=True)
                copied = torch.cuda.Event()  # type: ignore[no-untyped-call]
                copied.record(torch.cuda.current_stream(device))
                self._copied.append(copied)
            self._moved[device] = flat

    @property
    def ready(self) -> bool:
        """Nothing is still on its way."""
        return not self._copied

    def block(self) -> list[float]:
        """All values as floats, in order; waits for a copy that has not arrived."""
        for copied in self._copied:
            copied.synchronize()
        lists = {device: flat.tolist() for device, flat in self._moved.items()}
        taken = dict.fromkeys(lists, 0)
        block: list[float] = []
        for value, device, length in zip(self._values, self._devices, self._lengths, strict=True):
            if device is not None:
                start = taken[device]
                taken[device] = start + length
                block.extend(lists[device][start : taken[device]])
            else:
                block.extend(math.nan if v is None else float(v) for v in value)
        return block
