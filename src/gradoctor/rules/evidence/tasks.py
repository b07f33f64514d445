"""One task after another: a loss that jumps back at regular steps and comes down again."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from gradoctor.recording import Recording, Series
from gradoctor.rules.evidence.exclusions import adversarial
from gradoctor.rules.evidence.loss import leading_loss, trivial_level
from gradoctor.rules.evidence.robust import Array, median
from gradoctor.rules.evidence.timing import learning_rate

LEARNT = 0.8  # of the trivial level: below it something had been learnt
LEAP = 1.5  # times what the loss was before
BEFORE = 6  # rows that say what it was
SHORTEST = 30  # steps of a task
FEWEST = 5  # changes of the task that were seen
REGULAR = 0.5  # of the task changes are seen as leaps, and of the leaps are task changes
MOST = 64  # leaps by which a length is found: who has had so many tasks has shown it
CHANCE = 3.0  # times as many as leaps at random steps would give
DOWN = 0.5  # of the trivial level: a task that is being learnt
BLUR = 6  # steps that a leap may seem to be early or late
STEEPER = 1.5  # a learning rate that rises by this starts anew by itself
SURE = 2.33  # one-sided z of a trend: p = 0.01

Steps = NDArray[np.int64]


class Tasks(NamedTuple):
    """The tasks of a run.

    Attributes:
        length: steps of each; 0 where there is one task only, as far as can be seen.
        took: ``[tasks]`` steps until the loss was below half the trivial level, all of the task's
            where it never was.
        ends: ``[tasks]`` median loss over the last rows of each, in units of the trivial level.
    """

    length: int
    took: Array
    ends: Array

    @property
    def found(self) -> bool:
        """There is more than one."""
        return self.length > 0

    def begins(self, step: int) -> bool:
        """A new task begins about there."""
        number = max(1, round(step / self.length)) if self.found else 0
        return self.found and abs(step - number * self.length) <= max(BLUR, self.length // 10)


NONE = Tasks(0, np.empty(0), np.empty(0))


def tasks(run: Recording) -> Tasks:
    """The tasks that the leading loss tells apart, all of one length.

    A spike comes at any step; a new task comes after so many steps of the last one. Where the
    learning rate rises at these steps, or several losses play against each other, there is none.
    """
    return run.derive("tasks", _tasks)


def _tasks(run: Recording) -> Tasks:
    site = leading_loss(run)
    table = run.table("loss.value")
    if site is None or site.id not in table.sites or adversarial(run).found:
        return NONE
    column = table.sites.index(site.id)
    seen = ~np.isnan(table.values[:, column])
    if not seen.any():
        return NONE
    values, high = (rows[seen, column].astype(np.float64) for rows in (table.values, table.high))
    return in_losses(table.steps[seen], values, trivial_level(run), high, learning_rate(run))


def in_losses(
    steps: Steps, values: Array, floor: float, high: Array | None = None, rate: Series | None = None
) -> Tasks:
    """The tasks that a loss tells apart.

    Args:
        steps, values: ``[T]`` the loss, or its mean where a row stands for several steps.
        floor: its trivial level.
        high: ``[T]`` its largest value in each row.
        rate: the learning rate.
    """
    if len(values) < FEWEST * BEFORE or not floor > 0 or float(values.min()) < 0:
        return NONE
    leaps, blur = _leaps(steps, values, values if high is None else high, floor)
    length = _length(leaps, blur, int(steps[-1]) + 1)
    if not length or (rate is not None and _steeper(rate, leaps)):
        return NONE
    return _measured(steps, values / floor, length)


def _leaps(steps: Steps, values: Array, high: Array, floor: float) -> tuple[Array, Array]:
    """Steps at which a loss that had come down is back above the trivial level; how unsure each is.

    Late in a long run a row stands for many steps.
    """
    found: list[tuple[int, int]] = []
    last = -BEFORE
    near = np.convolve(high >= floor, np.ones(3))[2:] > 0  # in this row or the next two
    for i in (np.flatnonzero(near[BEFORE:]) + BEFORE).tolist():
        before, gap = median(values[i - BEFORE : i]), int(steps[i] - steps[i - 1])
        risen = high[i] if gap > 1 else median(values[i : i + 3])  # one batch is no task
        if before < LEARNT * floor and risen >= max(floor, LEAP * before) and i >= last + BEFORE:
            found.append((int(steps[i]), max(2, gap)))
            last = i
    rows = np.array(found, np.float64).reshape(-1, 2)
    return rows[:, 0], rows[:, 1]


def _length(leaps: Array, blur: Array, total: int) -> int:
    """Steps of a task: the length of whose multiples most are leaps, and that most leaps are."""
    if len(leaps) > MOST:
        leaps, blur, total = leaps[:MOST], blur[:MOST], int(leaps[MOST])
    if len(leaps) < FEWEST:
        return 0
    # half of the changes are leaps, and half of the leaps are changes: no more, no fewer than that
    least, most = 0.5 * len(leaps), 2 * len(leaps) + 1
    tried = np.unique(np.round(leaps[:, None] / np.arange(1, most + 1), 2))
    shortest, longest = max(SHORTEST, 0.99 * total / most), 1.01 * total / max(FEWEST, least)
    tried = tried[(tried >= shortest) & (tried <= longest)]
    best, score = 0.0, 0.0
    for length in tried.tolist():
        number = np.round(leaps / length)
        on = (np.abs(leaps - number * length) <= blur) & (number > 0)
        changes = max(1, int((total - 1) // length))
        met = len(np.unique(number[on]))
        hits, precision = met / changes, float(on.mean())
        chance = float(np.minimum(1.0, (2 * blur + 1) / length).mean())
        regular = met >= FEWEST and min(hits, precision) >= REGULAR
        if regular and precision >= CHANCE * chance and hits * precision > score + 1e-9:
            best, score = length, hits * precision
    return round(best)


def _steeper(rate: Series, leaps: Array) -> bool:
    """The learning rate rises at half of the leaps or more: a restart of the schedule."""
    up = rate.steps[1:][rate.values[1:] > STEEPER * rate.values[:-1]]
    near = [bool(len(up)) and float(np.abs(up - leap).min()) <= SHORTEST / 2 for leap in leaps]
    return float(np.mean(near)) >= 0.5


def _measured(steps: Steps, values: Array, length: int) -> Tasks:
    """How long each task took, and how far it came; a last one that was cut short is left out."""
    took, ends = [], []
    for begin in range(0, int(steps[-1]) + 2 - length, length):
        inside = (steps >= begin) & (steps < begin + length)
        mine, at = values[inside], steps[inside] - begin
        if len(mine) < 3:
            continue
        down = np.flatnonzero((mine[:-1] < DOWN) & (mine[1:] < DOWN))
        took.append(float(at[down[0]]) if len(down) else float(length))
        ends.append(median(mine[-max(3, len(mine) // 20) :]))
    return Tasks(length, np.array(took), np.array(ends))


class Slower(NamedTuple):
    """The first tasks against the last ones.

    Attributes:
        ratio: steps that the last third of the tasks took over those of the first quarter.
        first, last: medians of both.
        ends_first, ends_last: where their loss ended, in units of the trivial level.
        steady: later tasks took longer, beyond chance.
    """

    ratio: float
    first: float
    last: float
    ends_first: float
    ends_last: float
    steady: bool


def slower(known: Tasks) -> Slower:
    """Whether tasks take longer and longer."""
    early, late = max(3, len(known.took) // 4), max(3, len(known.took) // 3)
    first, last = median(known.took[:early]), median(known.took[-late:])
    return Slower(
        last / max(first, 1.0), first, last, median(known.ends[:early]),
        median(known.ends[-late:]), _rising(known.took),
    )  # fmt: skip


def _rising(values: Array) -> bool:
    """The Mann-Kendall test for a trend upwards."""
    count = len(values)
    if count < FEWEST:
        return False
    i, j = np.triu_indices(count, 1)
    score = float(np.sign(values[j] - values[i]).sum())
    return bool(score / np.sqrt(count * (count - 1) * (2 * count + 5) / 18) >= SURE)
