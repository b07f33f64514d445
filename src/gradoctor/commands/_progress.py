"""How far a run of experiments is, on stderr: a bar on a terminal, else a line to each."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from gradoctor.knowledge.claims import CLAIMS
from gradoctor.lab.running import Event
from gradoctor.reporters.lab import digest, line

if TYPE_CHECKING:
    from types import TracebackType


class Progress:
    """Counts what has ended; results that were there already are counted without a word."""

    def __init__(self, total: int, lang: str) -> None:
        self._total, self._lang = total, lang
        self._done = 0
        self._running: list[int] = []
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
                TextColumn("{task.description}"), console=Console(stderr=True, highlight=False),
                transient=True,
            )  # fmt: skip
            self._task = self._bar.add_task("", total=self._total)
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        if self._bar is not None:
            self._bar.stop()

    def tell(self, event: Event) -> None:
        """Show what has happened."""
        if event.kind == "started":
            self._running.append(event.number)
        else:
            self._done += 1
            if event.number in self._running:
                self._running.remove(event.number)
        if event.kind in ("finished", "failed"):
            self._say(event)
        if self._bar is not None:
            names = " ".join(map(str, self._running))
            self._bar.update(self._task, completed=self._done, description=names)

    def _say(self, event: Event) -> None:
        said = digest(CLAIMS[event.number], event.kept, self._lang, event.why)
        text = line(said, self._lang)
        if self._bar is not None:
            self._bar.console.print(text, markup=False, soft_wrap=True)
        else:
            click.echo(f"[{self._done}/{self._total}] {text}", err=True)
