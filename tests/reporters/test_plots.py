"""Pictures in the terminal."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Curve, Grid, Plot
from gradoctor.reporters._layout import STYLES, cells, paint
from gradoctor.reporters.plots._axes import axis, round_values
from gradoctor.reporters.plots._canvas import Canvas, clipped
from gradoctor.reporters.plots.terminal import draw

from . import pictures as p


def text(picture, width=80, lang="en", **options):
    return paint(draw(picture, width, lang, **options), color=False)


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", p.PICTURES)
def test_reads_as_approved(name, lang, snapshot):
    assert text(p.PICTURES[name], 60, lang) == snapshot


@pytest.mark.parametrize("name", p.PICTURES)
def test_plain_is_ascii_but_for_the_words(name, snapshot):
    said = text(p.PICTURES[name], 60, plain=True)
    assert not set(said.replace("–", "-").replace("′", "'")) - {*map(chr, range(128))}
    assert said == snapshot


@given(picture=p.pictures, width=st.integers(30, 120), plain=st.booleans())
@settings(max_examples=300, deadline=None)
def test_anything_is_drawn_within_the_width(picture, width, plain):
    for lang in ("en", "zh"):
        lines = draw(picture, width, lang, plain=plain)
        assert lines
        for line in paint(lines, color=False).splitlines():
            assert cells(line) <= width
        assert {style for line in lines for _, style in line} <= set(STYLES)


# ---- curves --------------------------------------------------------------------------------------
def one(y, **options):
    x = tuple(float(i) for i in range(len(y)))
    nothing = Words("", "")
    return Plot(nothing, nothing, nothing, (Curve(nothing, x, tuple(y)),), **options)


def canvas_of(picture, width=40):
    """The part right of the vertical axis, row by row."""
    rows = text(picture, width).splitlines()
    return [row.split(edge, 1)[1] for row in rows for edge in "┤│" if edge in row]


def test_a_rising_line_rises():
    rows = canvas_of(one((0.0, 1.0)))
    starts = [len(row) - len(row.lstrip()) for row in rows]
    assert starts == sorted(starts, reverse=True)
    assert len(set(starts)) > 4


def test_nan_and_infinity_leave_a_gap():
    whole = canvas_of(one((1.0,) * 9, y_range=(0.0, 2.0)))
    for odd in (math.nan, math.inf, -math.inf):
        broken = canvas_of(one((1.0,) * 4 + (odd,) + (1.0,) * 4, y_range=(0.0, 2.0)))
        gap = sum(map(count, whole)) - sum(map(count, broken))
        assert 5 < gap < sum(map(count, broken))


def count(row):
    return len(row.replace(" ", ""))


def test_a_value_between_two_gaps_is_a_dot():
    rows = canvas_of(one((math.nan, 1.0, math.nan, 0.0, 2.0)))
    assert sum(map(count, rows)) > count("x")
    alone = canvas_of(one((math.nan, 1.0, math.nan)))
    assert sum(map(count, alone)) == 1


def test_what_leaves_the_range_is_cut_off_at_its_edge():
    rows = canvas_of(one((-1e308, 1e308), y_range=(0.0, 1.0)))
    assert all(count(row) for row in rows)
    assert max(len(row.strip()) for row in rows) <= 2


def test_a_log_axis_leaves_out_what_has_no_logarithm():
    picture = one((-1.0, 0.0, 1e-6, 1e-3, 1.0), log_y=True)
    said = text(picture)
    assert "1e-6┤" in said
    assert "1e-3┤" in said
    assert text(one((-1.0, 0.0), log_y=True)).splitlines()[-1] == "there is no finite value to draw"


def test_each_curve_has_a_letter_that_stands_on_it():
    nothing = Words("", "")
    x = (0.0, 1.0)
    curves = tuple(Curve(Words.same(f"no. {y}"), x, (y, y)) for y in (0.0, 0.5, 1.0))
    rows = canvas_of(Plot(nothing, nothing, nothing, curves))
    drawn = [row for row in rows if row.strip()]
    assert [{c for c in row if c.isalpha()} for row in drawn] == [{"c"}, {"b"}, {"a"}]
    assert "  a no. 0.0   b no. 0.5   c no. 1.0" in text(Plot(nothing, nothing, nothing, curves))


def test_a_long_legend_has_a_line_to_each_curve():
    nothing = Words("", "")
    label = Words.same("a curve whose name takes half of the width")
    curves = tuple(Curve(label, (0.0, 1.0), (y, 1.0)) for y in (0.0, 0.5))
    rows = text(Plot(nothing, nothing, nothing, curves), 60).splitlines()
    assert rows[-2:] == [f"  a {label.en}", f"  b {label.en}"]


# ---- axes ----------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("low", "high", "most", "values"),
    [
        (0, 1, 6, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (-4, 4, 5, [-4, -2, 0, 2, 4]),
        (1, 30, 4, [10, 20, 30]),
        (0.1234, 0.1238, 5, [0.1234, 0.1235, 0.1236, 0.1237, 0.1238]),
    ],
)
def test_ticks_are_round(low, high, most, values):
    assert round_values(low, high, most) == pytest.approx(values)


@given(
    values=st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1, max_size=4),
    log=st.booleans(),
    most=st.integers(1, 12),
)
def test_ticks_lie_on_the_axis_and_differ(values, log, most):
    made = axis(values, log=log)
    if made is None:
        assert log
        assert max(values) <= 0
        return
    ticks = made.ticks(most)
    assert 1 <= len(ticks) <= most
    assert all(-1e-6 <= at <= 1 + 1e-6 for at, _ in ticks)
    assert len({word for _, word in ticks}) == len(ticks)
    for value in values:
        place = made.place(value)
        if value > 0 or not log:
            assert -1e-6 <= place <= 1 + 1e-6


def test_one_value_has_an_axis_around_it():
    for value in (0.0, 7.0, -1e300, 5e-324):
        made = axis([value])
        assert made.low < value < made.high


# ---- canvas --------------------------------------------------------------------------------------
def test_a_canvas_has_the_size_asked_for():
    canvas = Canvas(7, 3, braille=True)
    canvas.line((0.0, 0.0), (1.0, 1.0), "curve0")
    rows = ["".join(text for text, _ in line) for line in canvas.lines()]
    assert max(map(len, canvas.lines())) == 3  # what stands before, the line, what stands after
    assert [len(row) for row in rows] == [7, 7, 7]
    assert rows[0][-1] != " "
    assert rows[2][0] != " "
    assert canvas.visited["curve0"][0] == (0, 2)
    assert canvas.visited["curve0"][-1] == (6, 0)


@pytest.mark.parametrize(
    ("start", "end", "inside"),
    [
        ((0, 0), (1, 1), ((0, 0), (1, 1))),
        ((-1, 0.5), (2, 0.5), ((0, 0.5), (1, 0.5))),
        ((0, -1), (1, 2), ((1 / 3, 0), (2 / 3, 1))),
        ((0, 2), (1, 3), None),
        ((0.5, 0.5), (0.5, 0.5), ((0.5, 0.5), (0.5, 0.5))),
    ],
)
def test_lines_are_clipped_to_the_square(start, end, inside):
    found = clipped(start, end)
    if inside is None:
        assert found is None
    else:
        assert found == (pytest.approx(inside[0]), pytest.approx(inside[1]))


# ---- bars and tables -----------------------------------------------------------------------------
def test_bars_below_zero_go_to_the_left_of_a_line():
    rows = text(p.SIGNED).splitlines()[1:]
    line = rows[0].index("│")
    assert rows[1].index("│") == line
    assert rows[0][line - 1] == "█"
    assert rows[1][line + 1] == "█"


def test_bars_are_as_long_as_their_values():
    names = tuple(Words.same(name) for name in "ab")
    rows = text(Bars(Words.same("t"), names, (10.0, 5.0)), plain=True).splitlines()
    assert rows[1].count("#") == 2 * rows[2].count("#")


def test_a_table_goes_on_below_when_it_is_too_wide():
    said = text(p.TABLE, 40)
    for n in range(9):
        assert said.count(f"gain {n}") == 1
    assert said.count("8 layers") == 5  # two columns at once


def test_a_table_leaves_nan_blank():
    one_row = Grid(Words.same("t"), (Words.same("r"),), (Words.same("c"),) * 2, ((1.0, math.nan),))
    assert "NaN" not in text(one_row)


@pytest.mark.parametrize(
    "empty",
    [
        Plot(Words.same("t"), Words.same("x"), Words.same("y"), ()),
        one((math.nan, math.inf)),
        Bars(Words.same("t"), (Words.same("a"),), (math.nan,)),
        Grid(Words.same("t"), (Words.same("a"),), (Words.same("a"),), ((math.nan,),)),
    ],
    ids=["no curves", "no values", "bars", "table"],
)
def test_nothing_to_draw_is_said(empty):
    assert "there is no finite value to draw" in text(empty)
    assert "没有可画的有限数值" in text(empty, lang="zh")
