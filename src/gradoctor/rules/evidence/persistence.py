"""Persistence: a statistic is past its threshold, stays there, and is not on its way back."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np

from gradoctor.recording import Recording, Series
from gradoctor.rules.evidence.robust import median, theil_sen
from gradoctor.rules.evidence.timing import start_step

FEWEST = 20  # evaluations in a window
SHARE = 0.8  # of them past the threshold


class Persistence(NamedTuple):
    """What became of a statistic that was held against a threshold.

    Attributes:
        mechanism: past the threshold in most of the evaluations there are after the start step.
        holds: past it in >= 80 % of a window of >= 20 evaluations, with no trend back to health.
        first, last: steps of the first (of the unbroken stretch) and last evaluation past it.
        value: median over the window.
    """

    mechanism: bool
    holds: bool
    first: int
    last: int
    value: float


NEVER = Persistence(False, False, 0, 0, float("nan"))


def window(run: Recording, series: Series, since: int | None = None) -> Series:
    """The evaluations that count: the last third after the start step, at least 20 of them.

    A disease that healed lies outside, and one that ended in NaN shows in the last values seen.
    """
    after = series.after(start_step(run) if since is None else since)
    count = max(FEWEST, len(after) // 3)
    return Series(after.steps[-count:], after.values[-count:])


def persistence(
    run: Recording,
    series: Series,
    threshold: float,
    *,
    side: Literal["above", "below"],
    clear: float | None = None,
    since: int | None = None,
) -> Persistence:
    """Hold a series against a threshold.

    Args:
        side: the ill side, threshold included.
        clear: the value that ends a stretch (hysteresis); the threshold when left out.
        since: the first step that may count, where the optimizer's start step has no bearing.
    """
    sign = 1.0 if side == "above" else -1.0
    bar = sign * threshold
    end = bar if clear is None else sign * clear
    recent = window(run, series, since)
    if not len(recent):
        return NEVER
    signed = Series(recent.steps, sign * recent.values)
    past = signed.values >= bar
    share = float(past.mean())
    if share < SHARE:
        return NEVER
    holds = len(recent) >= FEWEST and not recovers(signed, end)
    whole = sign * series.values
    return Persistence(
        True,
        holds,
        _onset(series.steps, whole, bar, end),
        int(recent.steps[past][-1]),
        median(recent.values),
    )


def recovers(signed: Series, clear: float) -> bool:
    """True when the trend over the window would cross ``clear`` within the next window.

    ``signed`` is ill when large. A slope that is small against the noise is no trend. Steps are
    counted in evaluations' own spacing by using log time, since looks thin out as a run grows.
    """
    if len(signed) < 4:
        return False
    time = np.log(signed.steps.astype(np.float64) + 1.0)
    line = theil_sen(time, signed.values)
    if line.slope >= 0:
        return False
    width = float(signed.steps[-1] - signed.steps[0])
    ahead = float(np.log(signed.steps[-1] + 1.0 + width))
    return line.intercept + line.slope * ahead < clear and line.r2 > 0.25


def _onset(
    steps: np.ndarray[tuple[int], np.dtype[np.int64]],
    signed: np.ndarray[tuple[int], np.dtype[np.float32]],
    bar: float,
    clear: float,
) -> int:
    """Step of the first crossing after the last time that it was clear for more than an instant."""
    below = signed < clear
    # a single clear evaluation amid ill ones is noise: two in a row end a stretch
    ends = np.flatnonzero(below[1:] & below[:-1])
    start = int(ends[-1]) + 2 if len(ends) else 0
    crossed = np.flatnonzero(signed[start:] >= bar)
    return int(steps[start + int(crossed[0])]) if len(crossed) else int(steps[-1])
