"""The forecast that a run recorded, told once."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from gradoctor.commands._judge import language
from gradoctor.commands._screen import Screen
from gradoctor.prognosis import Forecast


def of_run(path: Path) -> Forecast | None:
    """The forecast in a run file; None when none was made."""
    from gradoctor.store import open_run

    with open_run(path) as file:
        facts = file.recording().facts_of("forecast")
    return Forecast.from_data(facts[0].data["forecast"]) if facts else None


class Teller:
    """Prints the forecast as soon as the run file has it; ``end`` says why when it has none."""

    def __init__(self, path: Path, view: dict[str, Any]) -> None:
        self.path = path
        self.view = view
        self.told = not view.get("checkup")

    def tick(self) -> None:
        """Look for it."""
        if self.told:
            return
        try:
            found = of_run(self.path)
        except Exception:  # half-written: the end will tell
            return
        if found is not None:
            self._tell(found)

    def end(self) -> None:
        """The run has ended."""
        self.tick()
        if not self.told:
            click.echo(
                "no forecast: no module ran forward and then backward in eager mode.", err=True
            )

    def _tell(self, found: Forecast) -> None:
        from gradoctor.reporters.forecast import render

        self.told = True
        screen = Screen.of(sys.stderr)
        text = render(found, language(self.view), screen.width, screen.color, screen.plain)
        click.echo(text, err=True)
