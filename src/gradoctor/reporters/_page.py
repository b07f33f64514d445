"""A page that stands alone: contents beside it, pictures in it, light and dark, nothing loaded."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.resources import files
from typing import NamedTuple

from gradoctor.knowledge.language import Translator
from gradoctor.knowledge.plots import Picture
from gradoctor.reporters._layout import paint
from gradoctor.reporters._markup import inline, tag, text
from gradoctor.reporters.plots import image, terminal

_TEXT_WIDTH = 78


class Heading(NamedTuple):
    """A part of the contents, and the parts under it: each an anchor and its words."""

    anchor: str
    words: str
    parts: tuple[tuple[str, str], ...] = ()


def page(title: str, lang: str, contents: Sequence[Heading], body: str, script: str = "") -> str:
    """The whole document."""
    _ = Translator(lang)
    style = (files("gradoctor.reporters") / "page.css").read_text(encoding="utf-8")
    listed = "".join(_listed(heading) for heading in contents)
    here = _("Contents")
    return (
        f'<!doctype html>\n<html lang="{_.lang.replace("_", "-")}">\n<head>\n'
        '<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        '<meta name="color-scheme" content="light dark">\n'
        f"{tag('title', title)}\n<style>\n{style}</style>\n</head>\n<body>\n"
        f'<nav aria-label="{text(here)}">{tag("b", here)}{listed}</nav>\n'
        f"<main>\n{tag('h1', title)}\n{body}\n</main>\n"
        + (f"<script>\n{script}</script>\n" if script else "")
        + "</body>\n</html>\n"
    )


def _listed(heading: Heading) -> str:
    head = f'<a href="#{text(heading.anchor)}">{text(heading.words)}</a>'
    if not heading.parts:
        return f"<p>{head}</p>"
    parts = "".join(
        f'<li><a href="#{text(a)}">{text(words)}</a></li>' for a, words in heading.parts
    )
    return f"<details open><summary>{head}</summary><ul>{parts}</ul></details>"


def figures(pictures: Iterable[Picture], lang: str, name: str) -> str:
    """The pictures with their titles; drawn as characters where matplotlib is missing."""
    return "".join(
        f"<figure>{_drawn(picture, lang, f'{name}-{number}')}"
        f"{tag('figcaption', picture.title.told(lang))}</figure>\n"
        for number, picture in enumerate(pictures, 1)
    )


def _drawn(picture: Picture, lang: str, name: str) -> str:
    if image.available():
        return f"<div>{image.inline_svg(picture, lang, name=name)}</div>"
    # in ASCII: a browser takes braille from another font, of another width
    lines = paint(terminal.draw(picture, _TEXT_WIDTH, lang, plain=True)[1:], color=False)
    return f"<pre>{text_lines(lines)}</pre>"


def text_lines(lines: str) -> str:
    """Escaped text of several lines."""
    return "\n".join(text(line) for line in lines.splitlines())


def missing(lang: str) -> str:
    """What to install when the pictures could not be drawn; nothing when they could."""
    if image.available():
        return ""
    _ = Translator(lang)
    said = _(
        "The pictures are drawn as characters, because matplotlib is not installed:"
        " `pip install 'gradoctor[pictures]'`"
    )
    return f'<p class="note">{inline(said)}</p>'
