"""A sink that keeps everything in lists."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from gradoctor.capture.watching import Watching
from gradoctor.records import Fact


class Listing:
    """Keeps what a session sends."""

    def __init__(self) -> None:
        self.sites: dict[int, Any] = {}
        self.frames: list[tuple[int, int, dict[tuple[int, str], float]]] = []
        self.facts: dict[tuple[str, int | None, str], Fact] = {}
        self.cycles: list[tuple[int, tuple[Any, ...]]] = []
        self.metas: dict[str, Any] = {}

    def site(self, site: Any) -> None:
        self.sites[site.id] = site

    def frame(self, step: int, look: int, layout: Any, block: Any) -> None:
        assert len(layout.columns) == len(block)
        self.frames.append((step, look, dict(zip(layout.columns, block, strict=True))))

    def fact(self, fact: Fact) -> None:
        self.facts[fact.kind, fact.site, fact.key] = fact

    def cycle(self, step: int, events: Any) -> None:
        self.cycles.append((step, events))

    def meta(self, key: str, value: Any) -> None:
        self.metas[key] = value

    def of(self, kind: str) -> list[Fact]:
        return [fact for fact in self.facts.values() if fact.kind == kind]

    def one(self, kind: str) -> Fact:
        (found,) = self.of(kind)
        return found

    def series(self, name: str, statistic: str) -> list[float]:
        ids = {s.id for s in self.sites.values() if s.name == name}
        return [
            v
            for _, _, row in self.frames
            for (s, k), v in row.items()
            if s in ids and k == statistic
        ]


@contextmanager
def watched() -> Iterator[Listing]:
    """Watch what runs inside, as deeply as a young run is."""
    sink = Listing()
    watching = Watching(sink, {})
    watching.start()
    try:
        yield sink
    finally:
        watching.stop()
    assert not watching.session.guard.faults
