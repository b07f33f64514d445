"""The loss jumps far above where it was."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gradoctor.recording import Recording, Series
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError, as_pairs, is_final, start_step
from gradoctor.rules.evidence.exclusions import Exclusion, adversarial
from gradoctor.rules.evidence.loss import leading_loss, level, loss_values
from gradoctor.rules.evidence.robust import Array

JUMP = 8.0  # MADs
WINDOW = 200
LENGTH = 5  # steps: one hard batch is over in one, a spike of the weights is not
MANY = 3  # per thousand steps
ENOUGH = 50  # steps without coming back


class Spike(NamedTuple):
    """One spike: where it began and ended, how high it was, whether the loss came back."""

    first: int
    last: int
    height: float
    recovered: bool


@rule(proof="statistical", needs=("loss.value",))
def loss_spike(run: Recording) -> Iterator[Finding]:
    """The loss rises by 8 MADs of its recent past, and stays up for several steps.

    Mechanism: the median of five successive losses lies 8 MADs above the median of the 200 before,
    and by a tenth of the distance the loss had come. One that passes is a note; three in a thousand
    steps, or one that does not pass, are suspect, and sick when the run ends above where it stood.

    Values: count, height, step, recovered, per_thousand
    """
    losses = loss_values(run)
    start = start_step(run)
    if len(losses.after(start)) < 2 * LENGTH + 20:
        raise UndecidedError(f"too-short:{len(losses.after(start))}/{2 * LENGTH + 20}")
    spikes = [s for s in find_spikes(losses, _scale(run, losses)) if s.first >= start]
    if not spikes:
        return
    site = leading_loss(run)
    rate = 1000.0 * len(spikes) / max(1000, len(losses))
    # one that the run ended on may have passed
    lasting = not spikes[-1].recovered and int(losses.steps[-1]) - spikes[-1].first >= ENOUGH
    exclusions: tuple[Exclusion, ...] = (adversarial(run),)
    level_ = Level.NOTE
    if rate >= MANY or lasting:
        level_ = Level.SICK if lasting and is_final(run) else Level.SUSPECT
        if any(e.found for e in exclusions):
            level_ = Level(level_ - 1)
    highest = max(spikes, key=lambda s: s.height)
    yield Finding(
        level=level_,
        sites=() if site is None else (site.id,),
        first_step=spikes[0].first,
        last_step=spikes[-1].last,
        values={
            "count": len(spikes),
            "height": highest.height,
            "step": highest.first,
            "recovered": not lasting,
            "per_thousand": rate,
        },
        evidence=(Evidence("loss.value", highest.height, JUMP, "MAD"),),
        exclusions=as_pairs(exclusions),
    )


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
    middle = _rolling_median(values, LENGTH)  # middle[i]: the five from i on
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


def _rolling_median(values: Array, width: int) -> Array:
    return np.asarray(np.median(np.lib.stride_tricks.sliding_window_view(values, width), axis=1))


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
