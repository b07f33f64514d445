"""Pictures as plain data: made by the formulary, the lab and the forecast, drawn by reporters."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

from gradoctor.knowledge.language import Words

NOTHING = Words("", "")


@dataclass(frozen=True, slots=True)
class Curve:
    """One line, or one cloud of points, of a plot.

    Attributes:
        y: as many as ``x``; NaN leaves a gap.
        points: drawn as separate marks rather than a line.
        low, high: a band around ``y`` (the spread over seeds), or empty.
    """

    label: Words
    x: tuple[float, ...]
    y: tuple[float, ...]
    points: bool = False
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True)
class Plot:
    """Curves over two axes.

    Attributes:
        y_range: what the vertical axis must show, when not just the curves.
    """

    title: Words
    x: Words
    y: Words
    curves: tuple[Curve, ...]
    log_x: bool = False
    log_y: bool = False
    y_range: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Bars:
    """A value for each of a few things.

    Attributes:
        low, high: the spread of each value (over seeds), or empty.
    """

    title: Words
    labels: tuple[Words, ...]
    values: tuple[float, ...]
    unit: Words = NOTHING
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()
    log: bool = False


@dataclass(frozen=True, slots=True)
class Grid:
    """A value for each pair of things, drawn as a heat map with its figures; NaN is left blank."""

    title: Words
    rows: tuple[Words, ...]
    columns: tuple[Words, ...]
    values: tuple[tuple[float, ...], ...]
    unit: Words = NOTHING


Picture = Plot | Bars | Grid
_KINDS: dict[str, type[Any]] = {"plot": Plot, "bars": Bars, "grid": Grid}


def to_data(picture: Picture) -> dict[str, Any]:
    """The picture as JSON can hold it; ``from_data`` reads it again."""
    kind = next(name for name, cls in _KINDS.items() if isinstance(picture, cls))
    return {"kind": kind, **_plain(picture)}


def _plain(thing: Any) -> Any:
    if hasattr(thing, "__dataclass_fields__"):
        return {f.name: _plain(getattr(thing, f.name)) for f in fields(thing)}
    if isinstance(thing, tuple):
        return [_plain(part) for part in thing]
    if isinstance(thing, float) and not math.isfinite(thing):
        return None  # JSON has neither NaN nor infinity
    return thing


def from_data(data: Mapping[str, Any]) -> Picture:
    """A picture that ``to_data`` wrote."""
    values = {key: value for key, value in data.items() if key != "kind"}
    for key in ("title", "x", "y", "unit"):
        if key in values:
            values[key] = Words(*values[key])
    for key in ("labels", "rows", "columns"):
        if key in values:
            values[key] = tuple(Words(*words) for words in values[key])
    if "curves" in values:
        values["curves"] = tuple(_curve(curve) for curve in values["curves"])
    for key in ("values", "low", "high"):
        if key in values:
            values[key] = _numbers(values[key])
    if values.get("y_range"):
        values["y_range"] = tuple(values["y_range"])
    made: Picture = _KINDS[data["kind"]](**values)
    return made


def _curve(data: Mapping[str, Any]) -> Curve:
    numbers = {key: _numbers(data[key]) for key in ("x", "y", "low", "high")}
    return Curve(Words(*data["label"]), points=bool(data["points"]), **numbers)


def _numbers(values: Sequence[Any]) -> tuple[Any, ...]:
    return tuple(
        float("nan") if v is None else _numbers(v) if isinstance(v, list) else v for v in values
    )
