"""The matplotlib figure of some pictures; matplotlib is loaded when one is drawn."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gradoctor.knowledge.figures import figure as words
from gradoctor.knowledge.language import Translator
from gradoctor.knowledge.plots import Bars, Curve, Grid, Picture, Plot
from gradoctor.reporters._layout import cells, clean, paint, wrap
from gradoctor.reporters.plots._tables import bars_unit, logarithmic, spreads

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import XAxis, YAxis
    from matplotlib.figure import Figure, SubFigure

# Okabe and Ito's colours: told apart by colour-blind readers, on white and on black; no yellow.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
DASHES = ("-", "--", "-.", ":")
MARKERS = ("o", "s", "^", "D", "v", "P")
INK = "#1f2328"  # in a page it becomes the page's own colour of text

_WIDTH = 6.4  # inches
_PLOT_HEIGHT = 3.4
_ROW_HEIGHT = 0.3  # of bars and tables
_LINE = 0.17  # of text
_LABEL, _TITLE, _LEGEND = 26, 78, 84  # cells in a line
_FEW_POWERS = 50  # from end to end of a log axis
_FEW = 15  # values that are each marked on a line
_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_FARTHEST = 1e200  # matplotlib adds room, and has to stay finite
# The first that is installed; matplotlib's own font has no Chinese.
_CHINESE = (
    "Noto Sans CJK SC", "Noto Sans SC", "Source Han Sans SC", "Noto Sans CJK JP", "PingFang SC",
    "Microsoft YaHei", "WenQuanYi Micro Hei", "SimHei", "Hiragino Sans GB", "Arial Unicode MS",
)  # fmt: skip
_STYLE: dict[str, Any] = {
    "font.size": 9, "axes.titlesize": 10, "axes.labelsize": 9, "legend.fontsize": 8.5,
    "text.color": INK, "axes.edgecolor": INK, "axes.labelcolor": INK, "axes.facecolor": "none",
    "xtick.color": INK, "ytick.color": INK, "axes.spines.top": False, "axes.spines.right": False,
    "axes.grid": True, "axes.axisbelow": True, "grid.color": INK, "grid.alpha": 0.15,
    "grid.linewidth": 0.6, "lines.linewidth": 1.6, "lines.markersize": 4, "legend.frameon": False,
    "svg.fonttype": "none",
}  # fmt: skip


@contextmanager
def styled(**more: Any) -> Iterator[None]:
    """Our own settings of matplotlib, and none of the reader's; its warnings stay unsaid."""
    import matplotlib
    from matplotlib.font_manager import fontManager

    installed = {font.name for font in fontManager.ttflist}
    chinese = [name for name in _CHINESE if name in installed][:1]
    ours: Any = {**_STYLE, "font.family": ["DejaVu Sans", *chinese], **more}
    with matplotlib.rc_context(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a missing glyph: the reader's font may have it
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(ours)
        yield


def draw(pictures: Sequence[Picture], lang: str, *, titled: bool) -> Figure:
    """The pictures below one another, each with its legend."""
    from matplotlib.figure import Figure

    heights = [_height(picture, lang) + _LINE * 2 * titled for picture in pictures]
    with styled():
        made = Figure(figsize=(_WIDTH, sum(heights)), layout="constrained")
        panels = made.subfigures(len(pictures), 1, squeeze=False, height_ratios=heights)[:, 0]
        for panel, picture in zip(panels, pictures, strict=True):
            panel.set_facecolor("none")
            axes = panel.subplots()
            if titled:
                axes.set_title(_text(picture.title.told(lang), _TITLE), loc="left")
            if isinstance(picture, Plot):
                _plot(panel, axes, picture, lang)
            elif isinstance(picture, Bars):
                _bars(axes, picture, lang)
            else:
                _grid(axes, picture, lang)
    return made


def _height(picture: Picture, lang: str) -> float:
    if isinstance(picture, Plot):
        rows = math.ceil(len(picture.curves) / _legend_columns(picture, lang))
        return _PLOT_HEIGHT + _LINE * (rows - 1)
    return 0.7 + _ROW_HEIGHT * len(picture.labels if isinstance(picture, Bars) else picture.rows)


def _text(said: str, width: int) -> str:
    """The text broken into lines; a dollar is a dollar, no mathematics."""
    lines = paint(wrap([(clean(said), "")], width), color=False).rstrip("\n")
    return lines.replace("$", r"\$")


def _known(values: Sequence[float]) -> list[float]:
    return [v if abs(v) < _FARTHEST else math.nan for v in values]


def _logarithmic(
    axis: XAxis | YAxis, scale: Callable[[str], None], values: Iterable[float]
) -> None:
    """A log scale, unless nothing has a logarithm; its powers of ten in plain text."""
    if any(0 < v < _FARTHEST for v in values):
        scale("log")
        axis.set_major_formatter(lambda value, _: _power(value))
        axis.set_minor_formatter(lambda value, _: _between(value, *axis.get_view_interval()))


def _power(value: float) -> str:
    exponent = round(math.log10(value)) if value > 0 else 0
    return f"{value:g}" if exponent in (0, 1) else "10" + str(exponent).translate(_RAISED)


def _between(value: float, low: float, high: float) -> str:
    """2 and 5 times a power of ten, where the powers are too few to read the axis by."""
    if not 0 < low < high <= low * _FEW_POWERS:
        return ""
    leading = round(value / 10.0 ** math.floor(math.log10(value)))
    return f"{value:g}" if leading in (2, 5) else ""


# ---- curves --------------------------------------------------------------------------------------
def _plot(panel: SubFigure, axes: Axes, plot: Plot, lang: str) -> None:
    axes.set_xlabel(_text(plot.x.told(lang), _TITLE))
    axes.set_ylabel(_text(plot.y.told(lang), _TITLE // 2))
    if plot.log_x:
        _logarithmic(axes.xaxis, axes.set_xscale, (v for c in plot.curves for v in c.x))
    if plot.log_y:
        _logarithmic(axes.yaxis, axes.set_yscale, (v for c in plot.curves for v in c.y))
    for number, curve in enumerate(plot.curves):
        _curve(axes, curve, number, lang)
    if plot.y_range:
        axes.set_ylim(*plot.y_range)
    if any(curve.label.told(lang) for curve in plot.curves):
        panel.legend(loc="outside lower center", ncols=_legend_columns(plot, lang))


def _curve(axes: Axes, curve: Curve, number: int, lang: str) -> None:
    colour, x, y = COLOURS[number % len(COLOURS)], _known(curve.x), _known(curve.y)
    label = _text(curve.label.told(lang), _LEGEND) or "_"
    marker = MARKERS[number % len(MARKERS)]
    if curve.points:
        axes.plot(x, y, linestyle="none", marker=marker, color=colour, label=label, zorder=3)
        return
    dash = DASHES[(number + number // len(COLOURS)) % len(DASHES)]
    axes.plot(x, y, dash, color=colour, label=label, marker=marker if len(x) <= _FEW else "")
    if curve.low and curve.high:
        low, high = _known(curve.low), _known(curve.high)
        axes.fill_between(x, low, high, color=colour, alpha=0.15, linewidth=0)


def _legend_columns(plot: Plot, lang: str) -> int:
    longest = max((cells(curve.label.told(lang)) for curve in plot.curves), default=0)
    return max(1, min(len(plot.curves), _LEGEND // (longest + 8)))


# ---- bars and tables -----------------------------------------------------------------------------
def _bars(axes: Axes, picture: Bars, lang: str) -> None:
    values = _known(picture.values)
    places = range(len(values))
    axes.barh(places, values, color=COLOURS[0], height=0.65)
    axes.set_yticks(places, [_text(label.told(lang), _LABEL) for label in picture.labels])
    axes.invert_yaxis()
    axes.grid(visible=False, axis="y")
    if picture.log:
        _logarithmic(axes.xaxis, axes.set_xscale, values)
    ends = values
    if picture.low and picture.high:
        axes.hlines(places, _known(picture.low), _known(picture.high), color=INK, linewidth=1.2)
        ends = [
            max(v, h) if v >= 0 else v for v, h in zip(values, _known(picture.high), strict=True)
        ]
    axes.margins(x=0.02)
    for place, end, said in zip(places, ends, spreads(picture), strict=True):
        at = end if math.isfinite(end) and (end > 0 or not picture.log) else 0.0
        axes.annotate(_text(said, _LABEL), (max(at, 0.0), place), (4, 0),
                      textcoords="offset points", va="center", fontsize=8.5)  # fmt: skip
    axes.set_xlabel(_text(bars_unit(picture, lang), _TITLE))


def _grid(axes: Axes, picture: Grid, lang: str) -> None:
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm, Normalize

    rows = [_known(row) for row in picture.values]
    known = [v for row in rows for v in row if math.isfinite(v)]
    if not known:
        _ = Translator(lang)
        axes.set_title(_("there is no finite value to draw"), loc="left")
        return
    norm = (LogNorm if logarithmic(known) else Normalize)(min(known), max(known))
    colours = colormaps["cividis"]
    axes.pcolormesh(rows, norm=norm, cmap=colours, edgecolors="none")
    axes.set_yticks([i + 0.5 for i in range(len(rows))], _names(picture.rows, lang))
    axes.set_xticks([i + 0.5 for i in range(len(rows[0]))], _names(picture.columns, lang))
    axes.tick_params(length=0, top=False)
    axes.invert_yaxis()
    axes.grid(visible=False)
    axes.spines[:].set_visible(False)
    size = min(8.5, 60 / len(rows[0]))  # of print in a cell
    for i, row in enumerate(rows):
        for j, value in enumerate(row if size >= 4 else ()):
            if math.isfinite(value):
                ink = "#000000" if norm(value) > 0.55 else "#ffffff"
                axes.text(j + 0.5, i + 0.5, words(value), ha="center", va="center", color=ink,
                          fontsize=size)  # fmt: skip
    axes.set_xlabel(_text(picture.unit.told(lang), _TITLE))


def _names(labels: Sequence[Any], lang: str) -> list[str]:
    return [_text(label.told(lang), _LABEL) for label in labels]
