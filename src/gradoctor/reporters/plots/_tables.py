"""Bars and tables of figures in a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from gradoctor.knowledge.figures import figure
from gradoctor.knowledge.language import Translator
from gradoctor.knowledge.plots import Bars, Grid
from gradoctor.reporters._layout import Line, cells, clean, cut, pad, wrap
from gradoctor.reporters._pictures import bar, shares

_SHADES = " ░▒▓█"
_ASCII_SHADES = " .:+#"
_LABEL = 30
_HEAD = 14
_BAR = 40
_DECADES = 100  # positive figures over such a range are shaded by their logarithms


# ---- bars ----------------------------------------------------------------------------------------
def bar_lines(picture: Bars, width: int, lang: str, *, plain: bool) -> list[Line]:
    """A bar, its figure and its spread to each thing; bars below zero go to the left."""
    if not any(math.isfinite(value) for value in picture.values):
        return []
    said = spreads(picture)
    labels = [clean(words.told(lang)) for words in picture.labels]
    column = min(max(map(cells, labels)), _LABEL, width // 3)
    figures = min(max(map(cells, said)), width // 3)
    room = max(4, min(_BAR, width - column - figures - 4))
    drawn = _drawn(picture, room, blocks=not plain)
    lines: list[Line] = [
        [(pad(cut(label, column), column) + "  ", ""), (one, "bar"), ("  ", ""),
         (cut(words, figures), "dim")]
        for label, one, words in zip(labels, drawn, said, strict=True)
    ]  # fmt: skip
    return [*_unit(bars_unit(picture, lang), width), *lines]


def bars_unit(picture: Bars, lang: str) -> str:
    """What the figures are, and that the bars are logarithms where they are."""
    _ = Translator(lang)
    log = _("log scale") if picture.log else ""
    return _(", ").join(part for part in (picture.unit.told(lang), log) if part)


def spreads(picture: Bars) -> list[str]:
    """The figure of each bar, and the range over its runs."""
    values = [figure(value) for value in picture.values]
    if not (picture.low and picture.high):
        return values
    return [
        value if low == high else f"{value} ({figure(low)}–{figure(high)})"
        for value, low, high in zip(values, picture.low, picture.high, strict=True)
    ]


def _drawn(picture: Bars, room: int, *, blocks: bool) -> list[str]:
    """The bars, padded to the room; a line at zero where some of them lie below it."""
    lengths = shares(picture.values, log=picture.log)
    signed = [-x if v < 0 else x for x, v in zip(lengths, picture.values, strict=True)]
    below, above = -min(0.0, *signed), max(0.0, *signed)
    if not below:
        return [pad(bar(x, room, blocks=blocks), room) for x in lengths]
    scale = (room - 1) / (below + above)
    left = min(max(1, round(below * scale)), room - 2)
    right = room - 1 - left
    block, zero = ("█", "│") if blocks else ("#", "|")
    drawn = []
    for x in signed:
        to_left = min(left, max(1, round(-x * scale))) if x < 0 else 0
        to_right = bar(min(1.0, max(x, 0.0) * scale / right), right, blocks=blocks)
        drawn.append(" " * (left - to_left) + block * to_left + zero + pad(to_right, right))
    return drawn


# ---- tables --------------------------------------------------------------------------------------
def grid_lines(picture: Grid, width: int, lang: str, *, plain: bool) -> list[Line]:
    """The figures, a shade of its size behind each; columns that find no room follow below."""
    shade = shader((v for row in picture.values for v in row), _ASCII_SHADES if plain else _SHADES)
    if shade is None:
        return []
    names = [clean(words.told(lang)) for words in picture.rows]
    heads = [cut(words.told(lang), _HEAD) for words in picture.columns]
    said = [["" if math.isnan(v) else figure(v) for v in row] for row in picture.values]
    column = min(max(map(cells, names)), _LABEL, width // 3)
    inner = max(map(cells, [*heads, *(word for row in said for word in row)]))
    at_once = max(1, (width - column) // (inner + 4))
    lines: list[Line] = []
    for start in range(0, len(heads), at_once):
        part = slice(start, start + at_once)
        lines.append(
            [(" " * column, ""), *((f"  {_right(h, inner)}  ", "dim") for h in heads[part])]
        )
        for name, words, values in zip(names, said, picture.values, strict=True):
            line: Line = [(pad(cut(name, column), column), "")]
            for word, value in zip(words[part], values[part], strict=True):
                line += [(f"  {_right(word, inner)} ", ""), (shade(value), "bar")]
            lines.append(line)
    return [*_unit(picture.unit.told(lang), width), *lines]


def shader(values: Iterable[float], shades: str) -> Callable[[float], str] | None:
    """From a value to one of the shades, the lightest first; None when no value is finite."""
    known = [v for v in values if math.isfinite(v)]
    if not known:
        return None
    log = logarithmic(known)
    low, high = (math.log10(v) if log else v for v in (min(known), max(known)))

    def shade(value: float) -> str:
        if not math.isfinite(value):
            return shades[-1] if value > 0 else shades[0]
        height = math.log10(value) if log else value
        share = (height / 2 - low / 2) / (high / 2 - low / 2) if high > low else 0.0
        return shades[round(min(max(share, 0.0), 1.0) * (len(shades) - 1))]

    return shade


def logarithmic(values: Iterable[float]) -> bool:
    """Whether finite values are told apart better by their logarithms."""
    known = list(values)
    return min(known) > 0 and max(known) / min(known) > _DECADES


def _unit(unit: str, width: int) -> list[Line]:
    return wrap([(unit, "dim")], width) if unit else []


def _right(text: str, width: int) -> str:
    return " " * max(0, width - cells(text)) + text
