"""Pictures as SVG or PNG, by matplotlib (the extra ``pictures``): the same picture, the same bytes.

Figures are made directly, never through pyplot: nothing is kept between calls.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from gradoctor.errors import GradoctorError
from gradoctor.knowledge.plots import Picture
from gradoctor.reporters._layout import clean
from gradoctor.reporters.plots._figure import COLOURS, INK, draw, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_DPI = 200
_FORMATS = (".svg", ".png")
_TAG = re.compile(r"<[^>]+>")
_NUMBER = re.compile(r"\d+\.\d{3,}")
_ID = re.compile(r'\bid="([^"]+)"')
_REFERENCE = re.compile(r'(?:href="#|url\(#)([^")]+)')


def available() -> bool:
    """Whether matplotlib is installed."""
    return find_spec("matplotlib") is not None


def figure(pictures: Sequence[Picture], lang: str = "en", *, titled: bool = True) -> Figure:
    """The pictures below one another.

    Raises:
        GradoctorError: matplotlib is missing.
    """
    if not available():
        raise GradoctorError(
            "Pictures are drawn by matplotlib, which is not installed.",
            "Install it: pip install 'gradoctor[pictures]'",
        )
    return draw(pictures, lang, titled=titled)


def svg(pictures: Sequence[Picture], lang: str = "en", *, name: str) -> str:
    """A whole SVG on white; its texts are text.

    Args:
        name: makes its ids its own.
    """
    text = _svg(figure(pictures, lang), name, background="white")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text[text.index("<svg") :]}'


def inline_svg(picture: Picture, lang: str = "en", *, name: str) -> str:
    """An SVG element for a page, in the page's own colour of text; the title is the page's matter.

    Args:
        name: makes its ids its own among those of the page.
    """
    text = _svg(figure([picture], lang, titled=False), name, background="none")
    box = re.search(r'viewBox="[^"]+"', text)
    label = escape(clean(picture.title.told(lang)))
    head = f'<svg {box.group() if box else ""} role="img" aria-label="{label}">'
    body = text[text.index(">", text.index("<svg")) + 1 :]
    for number, colour in enumerate(COLOURS):  # a dark page sets lighter ones
        body = body.replace(colour.lower(), f"var(--curve{number},{colour})")
    return (head + body).replace("xlink:href", "href").replace(INK, "currentColor").strip()


def png(pictures: Sequence[Picture], lang: str = "en") -> bytes:
    """The pictures as a PNG on white."""
    made = figure(pictures, lang)
    out = io.BytesIO()
    with styled():
        made.savefig(out, format="png", dpi=_DPI, metadata={"Software": None})
    return out.getvalue()


def write(pictures: Sequence[Picture], file: Path, lang: str = "en") -> None:
    """Write the pictures to a ``.svg`` or ``.png`` file.

    Raises:
        GradoctorError: matplotlib is missing, the ending is unknown, or the file cannot be written.
    """
    ending = file.suffix.lower()
    if ending not in _FORMATS:
        raise GradoctorError(
            f"A picture cannot be written as {file.name!r}.", f"End it in {' or '.join(_FORMATS)}."
        )
    data = svg(pictures, lang, name=file.stem).encode() if ending == ".svg" else png(pictures, lang)
    try:
        file.write_bytes(data)
    except OSError as fault:
        raise GradoctorError(f"Cannot write {file} ({fault.strerror}).") from None


def _svg(made: Figure, name: str, *, background: str) -> str:
    """The figure as SVG: no dates, ids counted, places to a hundredth.

    Its layout is solved anew each time and differs in the last bits, and so do hashes of places.
    """
    out = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with styled(**{"svg.hashsalt": "gradoctor"}):
        made.savefig(out, format="svg", metadata=nothing, facecolor=background)
    own = re.sub(r"\W", "-", name)
    text = _TAG.sub(lambda tag: _NUMBER.sub(_rounded, tag.group()), out.getvalue())
    ids = {old: f"{own}-{n}" for n, old in enumerate(dict.fromkeys(_ID.findall(text)))}
    for pattern in (_ID, _REFERENCE):
        text = pattern.sub(lambda m: m.group().replace(m.group(1), ids[m.group(1)]), text)
    return text


def _rounded(number: re.Match[str]) -> str:
    return f"{float(number.group()):.2f}".rstrip("0").rstrip(".")
