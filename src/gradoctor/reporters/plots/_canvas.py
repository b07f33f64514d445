"""A canvas of characters: eight braille dots to a cell, or one mark to a cell in ASCII."""

from __future__ import annotations

from itertools import groupby

from gradoctor.reporters._layout import Line

Point = tuple[float, float]

_BRAILLE = 0x2800
_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))  # row by row of a cell
_WITHIN = 1e-9


class Canvas:
    """Lines and dots in the unit square, ``(0, 0)`` at the lower left.

    Attributes:
        visited: the cells (column, row) that each style went through, in order.
    """

    def __init__(self, columns: int, rows: int, *, braille: bool) -> None:
        self.columns, self.rows = columns, rows
        self.visited: dict[str, list[tuple[int, int]]] = {}
        self._across, self._down = (2, 4) if braille else (1, 1)
        self._dots: dict[tuple[int, int], int] = {}
        self._marks: dict[tuple[int, int], str] = {}
        self._styles: dict[tuple[int, int], str] = {}

    def row_of(self, height: float) -> int:
        """The row of cells at a height between 0 and 1."""
        return self._dot_of((0.0, height))[1] // self._down

    def column_of(self, x: float) -> int:
        """The column of cells at a place between 0 and 1."""
        return self._dot_of((x, 0.0))[0] // self._across

    def dot(self, at: Point, style: str, mark: str = "*") -> None:
        """One dot; outside of the square it is left out."""
        if all(-_WITHIN <= part <= 1 + _WITHIN for part in at):
            self._set(*self._dot_of(at), style, mark)

    def line(self, start: Point, end: Point, style: str, mark: str = "*") -> None:
        """What lies inside of the square of a straight line."""
        inside = clipped(start, end)
        if inside is None:
            return
        (x0, y0), (x1, y1) = (self._dot_of(point) for point in inside)
        steps = max(abs(x1 - x0), abs(y1 - y0), 1)
        for i in range(steps + 1):
            x = x0 + round((x1 - x0) * i / steps)
            self._set(x, y0 + round((y1 - y0) * i / steps), style, mark)

    def put(self, cell: tuple[int, int], mark: str, style: str) -> None:
        """A character in place of a cell's dots."""
        self._marks[cell] = mark
        self._styles[cell] = style

    def lines(self) -> list[Line]:
        """Row by row from the top; each is as wide as the canvas."""
        return [self._line(row) for row in range(self.rows)]

    def _line(self, row: int) -> Line:
        """A row, neighbours of one style in one span."""
        cells = ((column, row) for column in range(self.columns))
        runs = groupby(cells, lambda cell: self._styles.get(cell, ""))
        return [("".join(map(self._character, run)), style) for style, run in runs]

    def _dot_of(self, at: Point) -> tuple[int, int]:
        wide, high = self.columns * self._across - 1, self.rows * self._down - 1
        x, y = (min(max(part, 0.0), 1.0) for part in at)
        return round(x * wide), round((1 - y) * high)

    def _set(self, x: int, y: int, style: str, mark: str) -> None:
        cell = (x // self._across, y // self._down)
        if self._down == 1:
            self._marks[cell] = mark
        else:
            self._dots[cell] = self._dots.get(cell, 0) | _DOTS[y % 4][x % 2]
        self._styles[cell] = style
        way = self.visited.setdefault(style, [])
        if not way or way[-1] != cell:
            way.append(cell)

    def _character(self, cell: tuple[int, int]) -> str:
        if cell in self._marks:
            return self._marks[cell]
        dots = self._dots.get(cell, 0)
        return chr(_BRAILLE + dots) if dots else " "


def clipped(start: Point, end: Point) -> tuple[Point, Point] | None:
    """The part of a line that lies in the unit square (Liang and Barsky's method)."""
    (x, y), (dx, dy) = start, (end[0] - start[0], end[1] - start[1])
    enter, leave = 0.0, 1.0
    for run, room in ((-dx, x), (dx, 1 - x), (-dy, y), (dy, 1 - y)):
        if run == 0:
            if room < -_WITHIN:
                return None
        elif run < 0:
            enter = max(enter, room / run)
        else:
            leave = min(leave, room / run)
    if enter > leave + _WITHIN:
        return None
    return (x + enter * dx, y + enter * dy), (x + leave * dx, y + leave * dy)
