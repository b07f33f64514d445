"""How often a gradient scaler refused a step, its ordinary search for a scale left out."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradoctor.recording import Recording
from gradoctor.rules.evidence.loss import leading_loss

SETTLED = 50
"""Steps that the scaler may take to find its scale: sixteen halvings lead from 65536 to 1."""
RATE = 0.05
FEWEST = 20
HOPELESS = 5
NAN = 1.0  # code of a loss that is NaN


class Refused(NamedTuple):
    """Steps that a scaler refused after it should have settled.

    Attributes:
        steps: refused after step 50, those that followed a growth of the scale taken off.
        rate: of the steps after step 50.
        first: the first of them.
        excessive: more than one in twenty, and twenty or more.
    """

    steps: int
    rate: float
    first: int
    excessive: bool


def refused(run: Recording) -> Refused:
    """The refusals that a scale which grows now and then does not account for."""
    skipped = run.series("scaler.skipped")
    late = skipped.steps[(skipped.values > 0) & (skipped.steps >= SETTLED)]
    scale = run.series("scaler.scale")
    grown = int((np.diff(scale.values[scale.steps >= SETTLED]) > 0).sum())
    count = max(0, len(late) - grown)
    after = max(1, run.steps - SETTLED)
    first = int(late[0]) if len(late) else 0
    return Refused(count, count / after, first, count >= FEWEST and count / after > RATE)


def never_stepped(run: Recording) -> Refused:
    """All steps so far, five or more, were refused, and the loss of each was NaN.

    An infinite loss may be one that was scaled too far; NaN was there before.
    """
    refusals, site = run.series("scaler.skipped"), leading_loss(run)
    codes = run.series("loss.nonfinite", site.id if site is not None else -1)
    count = len(codes)
    hopeless = (
        count >= HOPELESS
        and np.array_equal(codes.steps, refusals.steps[refusals.values > 0][:count])
        and bool((codes.values == NAN).all())
    )
    return Refused(count, 1.0, 0, bool(hopeless))
