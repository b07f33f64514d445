"""An axis: where a value lies on it, and which values are written at it."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass

_FAR = 1e6  # beyond this a place is outside of every picture, and arithmetic stays finite
_LARGEST = sys.float_info.max
_EDGE = 1e-6  # a tick at the very end is inside, however its place was rounded
_ALIKE = 1e-9  # values that differ by less are one value: no tick could tell them apart


@dataclass(frozen=True, slots=True)
class Axis:
    """From ``low`` to ``high``; decimal logarithms of the ends on a log axis."""

    low: float
    high: float
    log: bool = False

    def place(self, value: float) -> float | None:
        """0 at the low end, 1 at the high end; None for what an axis cannot show."""
        if not math.isfinite(value):
            return None
        if self.log:
            if value <= 0:
                return None
            value = math.log10(value)
        # halves: the difference of two large numbers would be infinite
        share = (value / 2 - self.low / 2) / (self.high / 2 - self.low / 2)
        return max(-_FAR, min(_FAR, share))

    def ticks(self, most: int) -> list[tuple[float, str]]:
        """The places and the words of at most so many round values (at least one)."""
        powers = self._powers(most) if self.log else []
        if len(powers) > 1 or (powers and most == 1):
            plain = powers[0] >= -3 and powers[-1] <= 4
            words = [f"{10.0**p:g}" if plain or not p else f"1e{p}" for p in powers]
            span = self.high - self.low
            return [((p - self.low) / span, w) for p, w in zip(powers, words, strict=True)]
        low, high = map(_power_of_ten, (self.low, self.high)) if self.log else (self.low, self.high)
        places = [(self.place(value), value) for value in round_values(low, high, most)]
        inside = [(at, v) for at, v in places if at is not None and -_EDGE <= at <= 1 + _EDGE]
        return list(zip((at for at, _ in inside), said([v for _, v in inside]), strict=True))

    def _powers(self, most: int) -> list[int]:
        first, last = math.ceil(self.low - _EDGE), math.floor(self.high + _EDGE)
        step = max(1, math.ceil((last - first + 1) / max(1, most)))
        return list(range(first + -first % step, last + 1, step))  # 1 is among them when it can be


def axis(
    values: Iterable[float], *, log: bool = False, shown: tuple[float, float] | None = None
) -> Axis | None:
    """The axis that shows the values, or the range asked for; None when there is none to show."""
    known = [v for v in (shown or values) if math.isfinite(v) and (v > 0 or not log)]
    if not known:
        return None
    low, high = min(known), max(known)
    if log:
        low, high = math.log10(low), math.log10(high)
    if _alike(low, high):
        room = 0.5 if log else abs(low) / 10
        low, high = max(low - room, -_LARGEST), min(high + room, _LARGEST)
    return Axis(low - 1, high + 1, log) if _alike(low, high) else Axis(low, high, log)


def _alike(low: float, high: float) -> bool:
    return high / 2 - low / 2 <= _ALIKE * max(abs(low), abs(high))


def _power_of_ten(exponent: float) -> float:
    return 10.0**exponent if exponent < sys.float_info.max_10_exp else _LARGEST


def round_values(low: float, high: float, most: int) -> list[float]:
    """At most so many multiples of 1, 2 or 5 times a power of ten from ``low`` to ``high``."""
    rough = high / max(1, most) - low / max(1, most)
    if not (math.isfinite(rough) and rough > 0):
        return [low]
    power = max(math.floor(math.log10(rough)), -307)
    steps = [factor * 10.0**p for p in (power, power + 1) if p < 308 for factor in (1, 2, 5)]
    for step in steps:
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if 0 < last - first + 1 <= most and math.isfinite(step):
            return [n * step for n in range(first, last + 1)]
    return [low]


def said(values: list[float]) -> list[str]:
    """The values as short as they are still told apart."""
    largest = max((abs(v) for v in values), default=0.0)
    plain = not largest or 1e-3 <= largest < 1e5
    for digits in range(12):
        words = [f"{v + 0.0:.{digits}f}" if plain else _power(v, digits) for v in values]
        exact = all(
            abs(float(word) - v) <= 1e-3 * largest for word, v in zip(words, values, strict=True)
        )
        if exact and len(set(words)) == len(set(values)):
            return words
    return [f"{v:.3g}" for v in values]


def _power(value: float, digits: int) -> str:
    mantissa, exponent = f"{value:.{digits}e}".split("e")
    return f"{mantissa}e{int(exponent)}" if value else "0"
