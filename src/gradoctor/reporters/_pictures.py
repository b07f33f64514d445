"""Small pictures of characters: bars by layer, a curve over steps.

A picture is plain data: ``{"kind": "bars", "title", "rows": [{"label", "value", "said"}], "log"}``
or ``{"kind": "curve", "title", "values", "said"}``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from gradoctor.knowledge.figures import figure
from gradoctor.reporters._layout import Line, cells, cut, pad

_EIGHTHS = " ▏▎▍▌▋▊▉█"
_HEIGHTS = "▁▂▃▄▅▆▇█"
_ASCII_HEIGHTS = "_.-=+*#"
_ROWS = 8
_LABEL = 24
_SAID = 12


def draw(picture: Mapping[str, Any], width: int, *, blocks: bool) -> list[Line]:
    """The lines of a picture, its title apart; none when there is nothing to draw.

    Args:
        blocks: Unicode block elements may be used; else ASCII.
    """
    if picture.get("kind") == "curve":
        return _curve(list(picture.get("values", ())), width, blocks=blocks)
    return _bars(bar_rows(picture), width, log=bool(picture.get("log")), blocks=blocks)


def bar_rows(picture: Mapping[str, Any]) -> list[tuple[str, float, str]]:
    """Label, value and the value in words of each bar; rows may be given as pairs too."""
    return [_row(row) for row in picture.get("rows", ())]


def shares(values: Sequence[float], *, log: bool) -> list[float]:
    """Lengths between 0 and 1; on a log scale the smallest still shows."""
    finite = [abs(v) for v in values if math.isfinite(v) and v]
    if not finite:
        return [0.0 for _ in values]
    top, bottom = max(finite), min(finite)
    return [_share(abs(v), top, bottom, log=log) for v in values]


def _share(value: float, top: float, bottom: float, *, log: bool) -> float:
    if math.isnan(value) or not value:
        return 0.0
    if math.isinf(value):
        return 1.0
    if not log:
        return value / top
    low = math.log(bottom)  # logs apart: the ratio of two floats may be none
    span = math.log(top) - low
    return 1.0 if not span else 0.05 + 0.95 * (math.log(value) - low) / span


def thin(rows: Sequence[Any], most: int) -> list[Any]:
    """At most so many of the rows, evenly spaced, the first and last among them."""
    if len(rows) <= most:
        return list(rows)
    if most == 1:
        return [rows[0]]
    return [rows[round(i * (len(rows) - 1) / (most - 1))] for i in range(most)]


def _row(row: Any) -> tuple[str, float, str]:
    if isinstance(row, Mapping):
        value = float(row["value"])
        return str(row.get("label", "")), value, str(row.get("said") or figure(value))
    label, value = row
    return str(label), float(value), figure(value)


def _bars(rows: list[tuple[str, float, str]], width: int, *, log: bool, blocks: bool) -> list[Line]:
    lengths = shares([value for _, value, _ in rows], log=log)
    shown = thin(
        [(label, said, x) for (label, _, said), x in zip(rows, lengths, strict=True)], _ROWS
    )
    if not shown:
        return []
    label_width = min(_LABEL, max(cells(label) for label, _, _ in shown), max(4, width // 3))
    said_width = min(_SAID, max(cells(said) for _, said, _ in shown))
    room = max(2, min(32, width - label_width - said_width - 4))
    return [
        [
            (pad(cut(label, label_width), label_width) + "  ", ""),
            (pad(bar(x, room, blocks=blocks), room), "bar"),
            ("  " + cut(said, said_width), "dim"),
        ]
        for label, said, x in shown
    ]


def bar(share: float, room: int, *, blocks: bool) -> str:
    """A bar over a share of the room, to an eighth of a cell where there are block elements."""
    if not blocks:
        return "#" * (max(1, round(share * room)) if share else 0)
    eighths = max(1, round(share * room * 8)) if share else 0
    return "█" * (eighths // 8) + (_EIGHTHS[eighths % 8] if eighths % 8 else "")


def _curve(values: list[float], width: int, *, blocks: bool) -> list[Line]:
    finite = [v for v in values if math.isfinite(v)]
    if len(finite) < 2:
        return []
    heights = _HEIGHTS if blocks else _ASCII_HEIGHTS
    low, high = min(finite), max(finite)
    marks = "".join(
        heights[round((v - low) / ((high - low) or 1) * (len(heights) - 1))]
        if math.isfinite(v)
        else "!"
        for v in thin(values, max(2, min(40, width - 2 * _SAID - 2)))
    )
    first, last = figure(values[0]), figure(values[-1])
    return [[(f"{first} ", "dim"), (marks, "bar"), (f" {last}", "dim")]]
