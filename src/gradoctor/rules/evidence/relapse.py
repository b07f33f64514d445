"""A loss that had come down, and in a few steps was back where it began, for good."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradoctor.recording import Recording, Series
from gradoctor.rules.evidence.exclusions import adversarial, moving_targets
from gradoctor.rules.evidence.loss import loss_values, trivial_level
from gradoctor.rules.evidence.robust import median, rolling_median
from gradoctor.rules.evidence.timing import EARLIEST, learning_rate, optimizers

LEARNT, LOST = 0.7, 0.9  # of the trivial level: below the one before, above the other ever since
ABRUPT = 10  # steps from the one to the other
LASTING = 50  # steps, and a tenth of the run
WIDTH = 5  # steps: a single batch decides nothing
RAISED = 3.0  # a rate that is multiplied by this between two steps
WITHIN = 25  # steps between the rise of the rate and that of the loss


class Relapse(NamedTuple):
    """What was learnt and lost again.

    Attributes:
        step: the first at the trivial level.
        lasted: steps from there to the end of the run.
        took: steps that it took to come down at first.
        before, after: the loss in the 20 steps before, and over the last third since.
    """

    found: bool
    step: int = 0
    lasted: int = 0
    took: int = 0
    before: float = float("nan")
    after: float = float("nan")


class Rise(NamedTuple):
    """A learning rate that was raised at once: the first step with it, and both rates."""

    step: int
    before: float
    after: float


def relapsed(run: Recording) -> Relapse:
    """Whether the loss went back to the trivial level within ten steps, and has stayed there.

    The trivial level is the baseline, or where the loss began if none is known. A new task that is
    being learnt comes down again, and a spike passes: neither is one.
    """
    return run.derive("relapsed", _relapsed)


def _relapsed(run: Recording) -> Relapse:
    losses, none = loss_values(run), Relapse(False)
    moving = adversarial(run).found or moving_targets(run).found
    if len(losses) < 2 * LASTING or float(losses.values.min()) < 0 or moving:
        return none
    floor = trivial_level(run)
    smooth = rolling_median(losses.values.astype(np.float64), WIDTH)
    low = np.flatnonzero(smooth < LEARNT * floor)
    if len(low) < 4 * WIDTH:
        return none
    last = int(low[-1])
    high = np.flatnonzero(smooth[last:] > LOST * floor)
    if not len(high) or high[0] > ABRUPT:
        return none
    first = last + int(high[0])
    first += int(np.argmax(losses.values[first:] > LOST * floor))
    since = losses.values[first:]
    if len(since) < max(LASTING, len(losses) // 10):
        return none
    end = since[-max(20, len(since) // 3) :]
    if median(end) < LOST * floor or _on_its_way(since, LEARNT * floor):
        return none
    return Relapse(
        True, int(losses.steps[first]), int(losses.steps[-1] - losses.steps[first]) + 1,
        int(losses.steps[low[0]]), median(losses.values[max(0, first - 20) : first]), median(end),
    )  # fmt: skip


def _on_its_way(since: np.ndarray[tuple[int], np.dtype[np.float32]], low: float) -> bool:
    """As fast as it fell over the last half of these steps, it would be down in as many again."""
    half = since[len(since) // 2 :]
    third = len(half) // 3
    fallen = median(half[:third]) - median(half[-third:])
    return median(half[-third:]) - 3.0 * max(fallen, 0.0) < low


def raised(run: Recording, since: int) -> Rise | None:
    """The last rise of the rate, threefold or more in one step, shortly before a step."""
    lr = learning_rate(run)
    near = (lr.steps[1:] <= since + 1) & (lr.steps[1:] >= max(EARLIEST, since - WITHIN))
    jumps = np.flatnonzero(near & (lr.values[1:] >= RAISED * lr.values[:-1]) & (lr.values[:-1] > 0))
    if not len(jumps):
        return None
    at = int(jumps[-1])
    return Rise(int(lr.steps[at + 1]), float(lr.values[at]), float(lr.values[at + 1]))


def steady_rate(run: Recording, since: int) -> bool:
    """No optimizer's rate rose by half around a step."""
    return not any(_rose(run.series("lr", s.id), since) for s in optimizers(run))


def _rose(lr: Series, since: int) -> bool:
    near = lr.values[(lr.steps <= since + 1) & (lr.steps >= since - WITHIN)]
    return len(near) > 1 and float(near.max()) > 1.5 * float(near[0])
