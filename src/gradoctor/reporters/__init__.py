"""The ledger of reporters: each makes plain data of a diagnosis, then a text of that data."""

from __future__ import annotations

from typing import Any, Protocol

from gradoctor.records import Diagnosis
from gradoctor.reporters.html import HtmlReporter
from gradoctor.reporters.json_report import JsonReporter
from gradoctor.reporters.terminal import TerminalReporter

__all__ = ["REPORTERS", "Reporter"]


class Reporter(Protocol):
    """Two steps, so that tests compare data and never text."""

    def digest(self, diagnosis: Diagnosis, lang: str = "en") -> dict[str, Any]:
        """What the report says, as lists and dicts."""

    def render(
        self, diagnosis: Diagnosis, *, lang: str = "en", width: int = 80, color: bool = False
    ) -> str:
        """The report as text."""


REPORTERS: dict[str, Reporter] = {
    "html": HtmlReporter(),
    "json": JsonReporter(),
    "terminal": TerminalReporter(),
}
