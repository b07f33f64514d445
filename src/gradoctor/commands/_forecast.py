"""The forecast that a run recorded, told once."""

from __future__ import annotations

import sqlite3
import sys
import time
from pathlib import Path
from typing import Any

import click

from gradoctor.commands._judge import language
from gradoctor.commands._screen import Screen
from gradoctor.errors import GradoctorError, RunFileError
from gradoctor.prognosis import Forecast


def of_run(path: Path) -> Forecast | None:
    """The forecast in a run file; None when none was made."""
    from gradoctor.store import open_run

    with open_run(path) as file:
        facts = file.recording().facts_of("forecast")
    return Forecast.from_data(facts[0].data["forecast"]) if facts else None


def foretold(path: Path, lang: str, screen: Screen) -> str:
    """The forecast in a run file as text.

    Raises:
        RunFileError: it has none.
    """
    from gradoctor.reporters.forecast import render

    found = of_run(path)
    if found is None:
        raise RunFileError(
            f"{path} has no forecast.", "Record one: gradoctor run --checkup SCRIPT."
        )
    return render(found, lang, screen.width, screen.color, screen.plain)


class Teller:
    """Prints the forecast as soon as the run file has it; ``end`` says why when it has none."""

    def __init__(self, path: Path, view: dict[str, Any]) -> None:
        self.path = path
        self.view = view
        self.told = bool(not view.get("checkup") or view.get("quiet"))
        self._begun = time.monotonic()
        self._next = self._begun

    def tick(self, *, last: bool = False) -> None:
        """Look for it: at once while the run is young, and ever more rarely."""
        now = time.monotonic()
        if self.told or (now < self._next and not last):
            return
        self._next = now + (now - self._begun) / 10
        try:
            text = foretold(self.path, language(self.view), Screen.of(sys.stderr))
        except (GradoctorError, sqlite3.Error):  # not there yet, or half-written
            return
        self.told = True
        click.echo(text, err=True)

    def end(self) -> None:
        """The run has ended."""
        self.tick(last=True)
        if not self.told:
            click.echo(
                "no forecast: no module ran forward and then backward in eager mode.", err=True
            )
