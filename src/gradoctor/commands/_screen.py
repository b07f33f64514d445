"""What the terminal at stdout can show, and text that it can show."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import click

from gradoctor.knowledge.language import Translator

WIDEST = 100  # lines that are longer read badly


@dataclass(frozen=True, slots=True)
class Screen:
    """Width in cells, whether in colour, and whether in ASCII only (``plain``)."""

    width: int
    color: bool
    plain: bool

    @classmethod
    def of_stdout(cls) -> Screen:
        """What stdout is."""
        return cls.of(sys.stdout)

    @classmethod
    def of(cls, stream: TextIO) -> Screen:
        """What a stream is; a file is 80 cells wide."""
        encoding = (stream.encoding or "ascii").lower()
        return cls(
            min(shutil.get_terminal_size((80, 24)).columns, WIDEST),
            stream.isatty() and not os.environ.get("NO_COLOR"),
            not encoding.startswith("utf"),
        )


def say(text: str) -> None:
    """Print a text; what the output's encoding has no sign for becomes a question mark."""
    encoding = sys.stdout.encoding or "ascii"
    click.echo(text.encode(encoding, "replace").decode(encoding), nl=False)


def written(file: Path, lang: str) -> None:
    """Say on stderr that a file was written."""
    _ = Translator(lang)
    click.echo(_("written: {file}", file=str(file)), err=True)
