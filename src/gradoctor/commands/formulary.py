"""``gradoctor formulary``: look up an activation, a loss, an optimizer, and so on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from gradoctor.commands._config import Configured
from gradoctor.commands._judge import check_folders, language, write
from gradoctor.commands._screen import Screen, say, written
from gradoctor.errors import GradoctorError
from gradoctor.knowledge import formulary as knowledge
from gradoctor.knowledge.formulary import KINDS, Entry
from gradoctor.knowledge.language import Translator

_MANY = 10  # entries that take so long to draw that a word is due
_SINGULAR = {"losses": "loss"}


@click.command(
    cls=Configured,
    epilog="""\b
Examples:
  gradoctor formulary                    # all names, by kind
  gradoctor formulary losses             # one kind
  gradoctor formulary gelu               # formula, derivative, use, code, pictures
  gradoctor formulary nn.CrossEntropyLoss --lang zh
  gradoctor formulary --html formulary.html
  gradoctor formulary gelu --picture gelu.svg""",
)
@click.argument("names", nargs=-1, metavar="[NAME]...")
@click.option("--lang", help="Language: en or zh.")
@click.option("--html", "page", type=click.Path(path_type=Path, dir_okay=False),
              help="Write one HTML page with all entries, or those named.")  # fmt: skip
@click.option("--picture", type=click.Path(path_type=Path, dir_okay=False),
              help="Write the pictures of one entry to a .svg or .png file.")  # fmt: skip
def formulary(names: tuple[str, ...], page: Path | None, picture: Path | None, **view: Any) -> int:
    """Look up NAME: an entry of the formulary, or a kind of entries."""
    lang = language(view)
    check_folders(page, picture)
    groups = [found(name) for name in names] or [knowledge.entries()]
    if picture is not None:
        draw(groups, picture, lang)
    if page is not None:
        write_page([entry for group in groups for entry in group], page, lang)
    if picture is None and page is None:
        say(told(groups, lang, Screen.of_stdout()))
    return 0


def found(name: str) -> Sequence[Entry]:
    """The entries of a kind, or the one entry of a name."""
    plain = name.strip().lower()
    for kind, words in KINDS.items():
        if plain in (kind, _SINGULAR.get(kind, kind.removesuffix("s")), words.en, words.zh):
            return knowledge.entries(kind)
    return (knowledge.find(name),)


def told(groups: Sequence[Sequence[Entry]], lang: str, screen: Screen) -> str:
    """The lists and the pages asked for, one after the other."""
    from gradoctor.reporters.formulary import render_entry, render_list

    return "\n".join(
        render_list(group, lang, screen.width, screen.color)
        if len(group) != 1
        else render_entry(group[0], lang, screen.width, screen.color, screen.plain)
        for group in groups
    )


def draw(groups: Sequence[Sequence[Entry]], file: Path, lang: str) -> None:
    """Write the pictures of the one entry that was named.

    Raises:
        GradoctorError: none was named, or several.
    """
    from gradoctor.reporters.plots import image

    entries = [entry for group in groups for entry in group]
    if len(entries) != 1:
        raise GradoctorError(
            "--picture draws one entry.", f"Name it: gradoctor formulary NAME --picture {file}."
        )
    image.write(entries[0].draw(), file, lang)
    written(file, lang)


def write_page(entries: Sequence[Entry], file: Path, lang: str) -> None:
    """Write the entries, each once, as one HTML page."""
    from gradoctor.reporters.formulary import render_page

    once = list({entry.name: entry for entry in entries}.values())
    _ = Translator(lang)
    if len(once) > _MANY:
        click.echo(_.plural("drawing {n} entry", "drawing {n} entries", len(once)), err=True)
    write(file, render_page(once, lang), "Choose another file.")
    written(file, lang)
