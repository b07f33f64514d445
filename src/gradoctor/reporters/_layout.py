"""Lines of styled text, wrapped by cells: a Chinese character takes two.

A span is ``(text, style)``; a line is a list of spans. Styles are names of ``STYLES``, so that
what is built here is plain data until ``paint`` turns it into text.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

Span = tuple[str, str]
Line = list[Span]

STYLES = {
    "": "",
    "sick": "bold red",
    "confirmed": "bold red",
    "suspect": "bold yellow",
    "note": "cyan",
    "healthy": "bold green",
    "place": "bold",
    "name": "bold",
    "label": "bold blue",
    "code": "cyan",
    "strong": "bold",
    "bar": "magenta",
    "dim": "dim",
    "curve0": "blue",
    "curve1": "yellow",
    "curve2": "green",
    "curve3": "red",
    "curve4": "magenta",
    "curve5": "cyan",
    "keyword": "magenta",
    "string": "green",
    "number": "yellow",
    "comment": "dim",
}

NARROWEST = 30
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_NEVER_FIRST = frozenset("，。、；：！？）》」』】〉…—～％%,.;:!?)]}’”·")
_NEVER_LAST = frozenset("（《「『【〈([{‘“")


def cells(text: str) -> int:
    """How many cells of a terminal the text takes."""
    from rich.cells import cell_len

    return cell_len(text)


def clean(text: str) -> str:
    """The text without what a terminal would obey: a module's name may hold anything."""
    return "".join(_clean(character) for character in text)


def _clean(character: str) -> str:
    if character in _BIDI:
        return ""
    category = unicodedata.category(character)
    if category in {"Cc", "Zl", "Zp"}:
        return " "
    return "?" if category == "Cs" else character


def pad(text: str, width: int) -> str:
    """The text with spaces after it up to a width in cells."""
    return text + " " * max(0, width - cells(text))


def cut(text: str, width: int) -> str:
    """The text shortened in its middle to a width in cells: both ends of a dotted name matter."""
    text = clean(text)
    if cells(text) <= width:
        return text
    dots = "..."
    head = max(0, (width - len(dots)) // 2)
    start, end = text[:head], text[-max(1, width - len(dots) - head) :]
    while cells(start + dots + end) > width and (start or end):
        start, end = (start[:-1], end) if cells(start) >= cells(end) else (start, end[1:])
    return start + dots + end


def shorten(text: str, width: int) -> str:
    """The text cut at its end to a width in cells: the beginning of a sentence tells most."""
    text = clean(text)
    if cells(text) <= width:
        return text
    dots = "..."[: max(0, width)]
    while text and cells(text + dots) > width:
        text = text[:-1]
    return text.rstrip() + dots


def marked(text: str) -> list[Span]:
    """Text with ``**strong**`` and backticked parts styled; backticks stay, they read well."""
    spans: list[Span] = []
    for i, part in enumerate(text.split("`")) if text.count("`") % 2 == 0 else [(0, text)]:
        if i % 2:
            spans.append((f"`{part}`", "code"))
        else:
            spans.extend(_strong(part))
    return [span for span in spans if span[0]]


def _strong(text: str) -> list[Span]:
    parts = text.split("**")
    if len(parts) % 2 == 0:
        return [(text, "")]
    return [(part, "strong" if i % 2 else "") for i, part in enumerate(parts)]


def wrap(spans: Sequence[Span], width: int, first: Span = ("", ""), more: int = 0) -> list[Line]:
    """Break spans into lines of at most ``width`` cells.

    Args:
        first: what the first line begins with (its indentation, a label).
        more: how far the other lines are indented.
    """
    page = _Wrapper(width, first, more)
    for unit in _units(spans):
        page.add(unit)
    return page.finish()


class _Wrapper:
    def __init__(self, width: int, first: Span, more: int) -> None:
        self._width = max(width, more + 4)  # one cell is no room for a wide character
        self._more = more
        self._lines: list[Line] = []
        self._line: Line = [first]
        self._empty = True

    def add(self, unit: list[Span]) -> None:
        """Put a run that should stay together, on a new line when this one has no room for it."""
        text = _text(unit).rstrip(" ")
        if not self._empty and not self._fits(text):
            self._break()
        if self._fits(text):
            self._line.extend(unit)
            self._empty = False
            return
        for run, style in unit:  # longer than a whole line: cut wherever it must be
            for character in run:
                if not self._empty and not self._fits(character):
                    self._break()
                self._line.append((character, style))
                self._empty = False

    def finish(self) -> list[Line]:
        self._break()
        return self._lines

    def _fits(self, text: str) -> bool:
        return cells(_text(self._line) + text) <= self._width

    def _break(self) -> None:
        self._lines.append(_trim(self._line))
        self._line = [(" " * self._more, "")]
        self._empty = True


def _units(spans: Sequence[Span]) -> Iterable[list[Span]]:
    """Runs of text between which a line may break, a trailing space included."""
    unit: list[Span] = []
    before = ""
    for raw, style in spans:
        start = 0
        text = clean(raw)
        for i, character in enumerate(text):
            if before and _may_break(before, character):
                if text[start:i]:
                    unit.append((text[start:i], style))
                if unit:
                    yield unit
                unit, start = [], i
            before = character
        if text[start:]:
            unit.append((text[start:], style))
    if unit:
        yield unit


def _may_break(before: str, after: str) -> bool:
    if before == " ":
        return after != " "
    if after == " ":
        return False
    wide = any(unicodedata.east_asian_width(c) in "WF" for c in (before, after))
    return wide and after not in _NEVER_FIRST and before not in _NEVER_LAST


def _text(line: Iterable[Span]) -> str:
    return "".join(text for text, _ in line)


def _trim(line: Line) -> Line:
    """The line without spaces at its end, neighbours of one style joined."""
    joined: Line = []
    for text, style in line:
        if joined and joined[-1][1] == style:
            joined[-1] = (joined[-1][0] + text, style)
        else:
            joined.append((text, style))
    while joined and not joined[-1][0].rstrip(" "):
        joined.pop()
    if joined:
        joined[-1] = (joined[-1][0].rstrip(" "), joined[-1][1])
    return joined


def paint(lines: Iterable[Line], *, color: bool) -> str:
    """The lines as one text, with escape codes only when they are asked for."""
    if not color:
        return "\n".join(clean(_text(line)).rstrip() for line in lines) + "\n"
    from rich.color import ColorSystem
    from rich.style import Style

    styles = {name: Style.parse(value) for name, value in STYLES.items()}
    painted = (
        "".join(
            styles[style].render(clean(text), color_system=ColorSystem.STANDARD)
            for text, style in line
        )
        for line in lines
    )
    return "\n".join(painted) + "\n"
