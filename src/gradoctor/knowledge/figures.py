"""Figures and placeholders as a reader wants them; nothing here ever raises on odd values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from string import Formatter
from typing import Any

UNKNOWN = "?"
_LISTED = 5  # longer lists are cut: a sentence is no place for twenty names


def figure(value: Any) -> str:
    """A value in a sentence: three significant digits, lists joined, None as ``?``."""
    if value is None:
        return UNKNOWN
    if isinstance(value, bool | str):
        return str(value)
    if isinstance(value, Mapping):
        return figure([f"{key}: {figure(inner)}" for key, inner in value.items()])
    if isinstance(value, Sequence | set | frozenset):
        parts = [figure(inner) for inner in value]
        shown = ", ".join(parts[:_LISTED])
        return f"{shown}, … (+{len(parts) - _LISTED})" if len(parts) > _LISTED else shown
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return str(value)
    return _number(number)


def _number(number: float) -> str:
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "infinity" if number > 0 else "-infinity"
    if number == int(number) and abs(number) < 1e6:
        return str(int(number))
    if abs(number) >= 1e5 or abs(number) < 1e-3:
        mantissa, exponent = f"{number:.2e}".split("e")
        return f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    if abs(number) >= 1000:
        return f"{number:.0f}"
    return f"{number:.3g}"


def fill(template: str, values: Mapping[str, Any]) -> str:
    """The template with its ``{placeholders}`` filled.

    A missing value reads ``?``, a value that does not fit its format is written plainly, and a
    template with stray braces comes back as it is: a report is never lost to a typing slip.
    """
    try:
        return _Filler().vformat(template, (), values)
    except (ValueError, KeyError, IndexError, AttributeError, TypeError):
        return template


class _Filler(Formatter):
    def get_field(self, field_name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        # Plain names only: attributes and indices of a value are none of a page's business.
        return kwargs.get(field_name), field_name

    def convert_field(self, value: Any, conversion: Any) -> Any:
        return value

    def format_field(self, value: Any, format_spec: str) -> str:
        if not format_spec or value is None or isinstance(value, bool):
            return figure(value)
        try:
            return format(value, format_spec)
        except (TypeError, ValueError):
            return figure(value)
