"""Pictures in a terminal: curves of braille dots, bars, and tables with a shade to each figure."""

from __future__ import annotations

import math

from gradoctor.knowledge.language import Translator
from gradoctor.knowledge.plots import Bars, Curve, Grid, Picture, Plot
from gradoctor.reporters._layout import NARROWEST, Line, cells, clean, cut, pad, wrap
from gradoctor.reporters.plots._axes import Axis, axis
from gradoctor.reporters.plots._canvas import Canvas
from gradoctor.reporters.plots._tables import bar_lines, grid_lines

CURVE_STYLES = tuple(f"curve{i}" for i in range(6))

_WIDEST = 100  # a curve over more cells tells no more
_FLAT = 5.5  # cells in a row to each row of cells
_LEAST_ROWS, _MOST_ROWS = 6, 14
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_MARKS = 3  # how often a curve's letter stands on it
_FEW = 40  # points that are each a letter


def draw(picture: Picture, width: int, lang: str = "en", *, plain: bool = False) -> list[Line]:
    """The lines of a picture, its title first, none wider than ``width`` cells.

    Args:
        plain: ASCII alone, for an output that holds no more.
    """
    width = max(width, NARROWEST)
    title = wrap([(picture.title.told(lang), "strong")], width)
    if isinstance(picture, Bars):
        body = bar_lines(picture, width, lang, plain=plain)
    elif isinstance(picture, Grid):
        body = grid_lines(picture, width, lang, plain=plain)
    else:
        body = _plot(picture, min(width, _WIDEST), lang, plain=plain)
    if not body:
        _ = Translator(lang)
        body = wrap([(_("there is no finite value to draw"), "dim")], width)
    return [*title, *body]


# ---- curves --------------------------------------------------------------------------------------
def _plot(plot: Plot, width: int, lang: str, *, plain: bool) -> list[Line]:
    seen = [(x, y) for c in plot.curves for x, y in zip(c.x, c.y, strict=True)]
    seen = [p for p in seen if _shows(p[0], log=plot.log_x) and _shows(p[1], log=plot.log_y)]
    across = axis((x for x, _ in seen), log=plot.log_x)
    up = axis((y for _, y in seen), log=plot.log_y, shown=plot.y_range)
    if across is None or up is None or not seen:
        return []
    rows = min(max(int(width / _FLAT), _LEAST_ROWS), _MOST_ROWS)
    ticks = up.ticks(rows // 2)
    margin = max((cells(word) for _, word in ticks), default=0)
    canvas = Canvas(max(width - margin - 1, 2), rows, braille=not plain)
    _draw_curves(canvas, plot.curves, across, up, plain=plain)
    lines: list[Line] = wrap([(plot.y.told(lang), "dim")], width) if plot.y.told(lang) else []
    lines += _beside(canvas, ticks, margin, plain=plain)
    lines += _below(canvas, across, margin, plain=plain)
    if plot.x.told(lang):
        name = cut(plot.x.told(lang), width)
        space = margin + 1 + max(0, (canvas.columns - cells(name)) // 2)
        lines.append([(" " * min(space, width - cells(name)), ""), (name, "dim")])
    return lines + _legend(plot.curves, width, lang, plain=plain)


def _shows(value: float, *, log: bool) -> bool:
    return math.isfinite(value) and (value > 0 or not log)


def _draw_curves(
    canvas: Canvas, curves: tuple[Curve, ...], across: Axis, up: Axis, *, plain: bool
) -> None:
    alone = len(curves) == 1
    for number, curve in enumerate(curves):
        style, letter = _style(number), "*" if alone else _letter(number)
        before = None
        for x, y in zip(curve.x, curve.y, strict=True):
            at = (across.place(x), up.place(y))
            here = None if at[0] is None or at[1] is None else (at[0], at[1])
            if here and (before is None or curve.points):
                canvas.dot(here, style, letter)
            elif here and before:
                canvas.line(before, here, style, letter)
            before = here
    if not alone and not plain:
        _letter_curves(canvas, curves)
    elif alone and curves[0].points and not plain:
        for cell in canvas.visited.get(_style(0), [])[:_FEW]:
            canvas.put(cell, "*", _style(0))


def _letter_curves(canvas: Canvas, curves: tuple[Curve, ...]) -> None:
    """Each curve's letter at a few places, where it runs alone if it does anywhere."""
    ways = [canvas.visited.get(_style(number), []) for number in range(len(curves))]
    for number, (curve, way) in enumerate(zip(curves, ways, strict=True)):
        others = {cell for i, w in enumerate(ways) if i != number for cell in w}
        free = [cell for cell in way if cell not in others] or way
        if curve.points and len(way) <= _FEW:
            chosen = way
        else:
            shift = (number + 1) / (len(curves) + 1)
            chosen = [free[int(len(free) * (i + shift) / _MARKS)] for i in range(_MARKS) if free]
        for cell in chosen:
            canvas.put(cell, _letter(number), _style(number))


def _style(number: int) -> str:
    return CURVE_STYLES[number % len(CURVE_STYLES)]


def _letter(number: int) -> str:
    return _LETTERS[number % len(_LETTERS)]


def _beside(
    canvas: Canvas, ticks: list[tuple[float, str]], margin: int, *, plain: bool
) -> list[Line]:
    """The canvas behind its vertical axis."""
    words = {canvas.row_of(at): word for at, word in ticks}
    tick, edge = ("+", "|") if plain else ("┤", "│")
    return [
        [(words.get(row, "").rjust(margin) + (tick if row in words else edge), "dim"), *drawn]
        for row, drawn in enumerate(canvas.lines())
    ]


def _below(canvas: Canvas, across: Axis, margin: int, *, plain: bool) -> list[Line]:
    """The horizontal axis and what is written at it; words that would touch are left out."""
    corner, edge, tick = "+-+" if plain else "└─┬"
    marks = [edge] * canvas.columns
    said = ""
    for at, word in across.ticks(max(2, canvas.columns // 10)):
        column = canvas.column_of(at)
        start = max(
            0, min(margin + 1 + column - len(word) // 2, margin + 1 + canvas.columns - len(word))
        )
        if said and start <= len(said):
            continue
        marks[column] = tick
        said = said.ljust(start) + word
    return [[(" " * margin + corner + "".join(marks), "dim")], [(said, "dim")]]


def _legend(curves: tuple[Curve, ...], width: int, lang: str, *, plain: bool) -> list[Line]:
    """Letter and name of each curve: in one line when there is room, else a line to each."""
    named = [(i, clean(curve.label.told(lang))) for i, curve in enumerate(curves)]
    if not any(label for _, label in named):
        return []
    alone = "--" if plain else "──"
    marks = [alone if len(curves) == 1 else _letter(i) for i, _ in named]
    one: Line = []
    for (i, label), mark in zip(named, marks, strict=True):
        one += [("   " if one else "  ", ""), (mark, _style(i)), (f" {label}", "")]
    if sum(cells(text) for text, _ in one) <= width:
        return [one]
    lines: list[Line] = []
    for (i, label), mark in zip(named, marks, strict=True):
        lines += wrap([(label, "")], width, (pad(f"  {mark} ", 4), _style(i)), 4)
    return lines
