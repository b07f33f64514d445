"""Jumps of the loss and of the gradient: far above their recent past."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradoctor.recording import Recording, Series
from gradoctor.rules.evidence.loss import level, loss_values
from gradoctor.rules.evidence.robust import Array, mad, median, rolling_median
from gradoctor.rules.evidence.updates import bursts

JUMP = 8.0  # MADs
WINDOW = 200
LENGTH = 5  # steps: one hard batch is over in one, a spike of the weights is not
FACTOR = 10.0  # of a gradient's norm over its median
CALM = 3.0  # likewise, of the norm before: what grew over several steps is no outlier
RECENT = 50  # norms of which it is ten times the largest, or 8 MADs above their middle
LEAST = 30  # norms before one may be called an outlier
SPREAD = 0.1  # bits: norms that are all but constant have no spread of their own
AFTER = 10  # steps within which the loss and the weights answer to a gradient


class Spike(NamedTuple):
    """One spike: where it began and ended, how high it was, whether the loss came back."""

    first: int
    last: int
    height: float
    recovered: bool


def loss_spikes(run: Recording) -> list[Spike]:
    """The spikes of the leading loss, in order."""

    def make(run: Recording) -> list[Spike]:
        losses = loss_values(run)
        return find_spikes(losses, _scale(run, losses)) if len(losses) else []

    return run.derive("loss_spikes", make)


def _scale(run: Recording, losses: Series) -> float:
    """A tenth of the way the loss has come, and of its baseline where that is known."""
    begin = float(np.median(losses.values[:5]))
    way = begin - float(np.percentile(losses.values, 5))
    known = level(run)
    return 0.1 * max(way, known.baseline if known is not None else abs(begin))


def find_spikes(losses: Series, least: float) -> list[Spike]:
    """Spikes of a loss, in order; neighbours closer than 10 steps count as one."""
    values = losses.values.astype(np.float64)
    if len(values) < LENGTH + 20:
        return []
    middle = rolling_median(values, LENGTH)  # middle[i]: the five from i on
    spikes: list[Spike] = []
    base, spread = _background(values)
    at = np.flatnonzero(
        middle > base[: len(middle)] + np.maximum(JUMP * spread[: len(middle)], least)
    )
    for group in np.split(at, np.flatnonzero(np.diff(at) > 10) + 1) if len(at) else []:
        first, last = int(group[0]), int(group[-1])
        level_ = float(base[first])
        rest = middle[last + 1 :]
        back = len(rest) > 0 and float(rest.min()) <= level_ + 0.5 * max(
            float(middle[first]) - level_, least
        )
        height = float(
            (middle[group].max() - level_) / max(float(spread[first]), least / JUMP, 1e-12)
        )
        spikes.append(Spike(int(losses.steps[first]), int(losses.steps[last]), height, back))
    return spikes


def _background(values: Array) -> tuple[Array, Array]:
    """Median and MAD of the up to 200 values before each (renewed every 10 steps)."""
    base = np.full(len(values), np.inf)
    spread = np.zeros(len(values))
    for i in range(20, len(values), 10):
        before = values[max(0, i - WINDOW) : i]
        middle = np.median(before)
        base[i : i + 10] = middle
        spread[i : i + 10] = 1.4826 * np.median(np.abs(before - middle))
    return base, spread


class Outlier(NamedTuple):
    """One gradient far beyond those before it: its step, and how often the median it is."""

    step: int
    factor: float


def gradient_norms(run: Recording) -> Series:
    """Norms at every step where the script clips (before clipping), else those of the looks."""
    clip, looks = run.series("clip.norm"), run.series("grad.norm")
    chosen = clip if len(clip) > len(looks) else looks
    good = np.isfinite(chosen.values) & (chosen.values > 0)
    return Series(chosen.steps[good], chosen.values[good])


def gradient_outliers(run: Recording) -> list[Outlier]:
    """Gradients that came out of a calm.

    The norm is ten times the median of the 200 before, and ten times the largest of the last 50 or,
    in log2, 8 MADs above that median. The one just before was ordinary, and no oversized step went
    before it: what a step too long has done to the weights shows in the gradients after it.
    Neighbours count as one.
    """
    return run.derive("gradient_outliers", _outliers)


def _outliers(run: Recording) -> list[Outlier]:
    norms = gradient_norms(run)
    bits, steps = np.log2(norms.values.astype(np.float64)), norms.steps
    large = bursts(run).steps
    least = np.minimum.accumulate(bits)
    found: list[Outlier] = []
    for i in range(LEAST, len(bits)):
        if bits[i] < least[i - 1] + np.log2(FACTOR):
            continue  # not ten times even the smallest
        before = bits[max(0, i - WINDOW) : i]
        above, usual = _above(before, float(bits[i])), median(before)
        calm = bits[i - 1] < usual + np.log2(CALM)
        thrown = ((large < steps[i]) & (large >= steps[i] - AFTER)).any()
        near = found and steps[i] - found[-1].step <= AFTER
        if above and calm and not thrown and not near:
            found.append(Outlier(int(steps[i]), float(2.0**above)))
    return found


def _above(before: Array, value: float) -> float:
    """How many bits over the median of those before, 0 unless it is an outlier among them."""
    above = value - median(before)
    least = float(np.log2(FACTOR))
    rare = above > JUMP * max(mad(before), SPREAD) or value > float(before[-RECENT:].max()) + least
    return float(above) if rare and above > least else 0.0
