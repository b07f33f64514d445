"""A sink for processes that may never train: the run file is made with the first step."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from gradoctor.records import Event, Fact, Site
from gradoctor.store.writer import AnyLayout, RunWriter


class DeferredWriter:
    """Keeps sites, facts and properties back until a frame comes, then opens the run file.

    Args:
        open: makes the writer and starts it.
    """

    def __init__(self, open: Callable[[], RunWriter]) -> None:
        self._open = open
        self._kept: list[tuple[str, tuple[Any, ...]]] = []
        self.writer: RunWriter | None = None

    def _call(self, name: str, *args: Any) -> None:
        if self.writer is None:
            self._kept.append((name, args))
        else:
            getattr(self.writer, name)(*args)

    def site(self, site: Site) -> None:
        """Add or replace a site."""
        self._call("site", site)

    def frame(self, step: int, look: int, layout: AnyLayout, block: Sequence[float]) -> None:
        """Add the numbers of a step; the first opens the file."""
        if self.writer is None:
            self.writer, kept = self._open(), self._kept
            self._kept = []
            for name, args in kept:
                getattr(self.writer, name)(*args)
        self.writer.frame(step, look, layout, block)

    def fact(self, fact: Fact) -> None:
        """Add or replace a fact."""
        self._call("fact", fact)

    def cycle(self, step: int, events: tuple[Event, ...]) -> None:
        """Add the order of events of a step."""
        self._call("cycle", step, events)

    def meta(self, key: str, value: Any) -> None:
        """Set a property of the run."""
        self._call("meta", key, value)

    @property
    def lost(self) -> str | None:
        """Why writing stopped, None while all is well."""
        return self.writer.lost if self.writer is not None else None

    def close(self) -> None:
        """Write what is left, if anything was begun."""
        if self.writer is not None:
            self.writer.close()

    def abandon(self) -> None:
        """Drop everything without touching the file: for a forked child."""
        self._kept.clear()
        if self.writer is not None:
            self.writer.abandon()
