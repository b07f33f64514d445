"""Single gradients far beyond all others, and what they do to the loss."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import (
    Harm,
    UndecidedError,
    as_pairs,
    diverged,
    is_final,
    no_progress,
    stuck,
)
from gradoctor.rules.evidence.exclusions import (
    Exclusion,
    adversarial,
    converged,
    scaler_skips,
)
from gradoctor.rules.evidence.loss import leading_loss, loss_values
from gradoctor.rules.evidence.robust import median
from gradoctor.rules.evidence.spikes import (
    AFTER,
    FACTOR,
    LEAST,
    WINDOW,
    Outlier,
    gradient_norms,
    gradient_outliers,
    loss_spikes,
)

OFTEN = 0.01  # of the steps
MANY = 3
ENOUGH = 50  # steps without coming back


@rule(proof="statistical", needs=("grad.norm", "loss.value"))
def gradient_spike(run: Recording) -> Iterator[Finding]:
    """The gradient norm is suddenly ten times its usual size, and the loss is thrown up by it.

    Mechanism: out of a calm, log2 of the norm lies 8 MADs above the median of the up to 200 before
    it, and the norm above ten times that median. Harm: the loss jumps within 10 steps, and does not
    come back, or gets nowhere for such jumps. Outliers that the loss does not feel are a note when
    they are more than one step in a hundred.

    Values: count, harmful, factor, step, lasting
    """
    norms = gradient_norms(run)
    if len(norms) < LEAST + MANY:
        raise UndecidedError(f"too-short:{len(norms)}/{LEAST + MANY}")
    outliers = gradient_outliers(run)
    harmful = [o for o in outliers if _is_felt(run, o)]
    often = len(outliers) >= MANY and len(outliers) >= OFTEN * len(norms)
    if not harmful and not often:
        return
    exclusions: tuple[Exclusion, ...] = (adversarial(run), scaler_skips(run))
    lasting = any(_lasts(run, o) for o in harmful)
    counted = harmful or outliers
    highest = max(counted, key=lambda o: o.factor)
    yield Finding(
        level=_level(run, harmful, exclusions, lasting=lasting),
        sites=_sites(run, highest.step),
        first_step=counted[0].step,
        last_step=counted[-1].step,
        values={
            "count": len(outliers),
            "harmful": len(harmful),
            "factor": highest.factor,
            "step": highest.step,
            "lasting": lasting,
        },
        evidence=(
            Evidence("grad.norm", highest.factor, FACTOR, "ratio"),
            Evidence("loss.spikes", len(harmful), 1),
        ),
        exclusions=as_pairs(exclusions),
    )


def _is_felt(run: Recording, outlier: Outlier) -> bool:
    """The loss was thrown up by it.

    Of the five losses that make a spike of the loss the first may lie before the outlier.
    """
    return any(-2 <= s.first - outlier.step <= AFTER for s in loss_spikes(run)) or _ended(
        diverged(run), outlier
    )


def _ended(outcome: Harm, outlier: Outlier) -> bool:
    return outcome.found and 0 <= outcome.since - outlier.step <= AFTER


def _lasts(run: Recording, outlier: Outlier) -> bool:
    """The loss that it threw up did not come back."""
    if _ended(diverged(run), outlier):
        return True
    last = int(loss_values(run).steps[-1])
    return any(
        not s.recovered and -2 <= s.first - outlier.step <= AFTER and last - s.first >= ENOUGH
        for s in loss_spikes(run)
    )


def _level(
    run: Recording, harmful: list[Outlier], exclusions: tuple[Exclusion, ...], *, lasting: bool
) -> Level:
    nowhere = stuck(run).found or (no_progress(run).found and not converged(run).found)
    if is_final(run) and (lasting or (len(harmful) >= MANY and nowhere)):
        level = Level.SICK
    elif len(harmful) >= MANY:
        level = Level.SUSPECT
    else:
        level = Level.NOTE
    return Level(max(0, level - any(e.found for e in exclusions)))


def _sites(run: Recording, step: int) -> tuple[int, ...]:
    """The loss, then up to three weights whose gradient rose the most at that step."""
    table = run.table("grad.rms")
    rows = np.flatnonzero(table.steps == step)
    site = leading_loss(run)
    first = () if site is None else (site.id,)
    if not len(rows) or not rows[0]:
        return first
    row = int(rows[0])
    before = table.values[max(0, row - WINDOW) : row]
    rose = {
        s: float(table.values[row, c]) / usual
        for c, s in enumerate(table.sites)
        if (usual := median(before[:, c])) > 0 and np.isfinite(table.values[row, c])
    }
    return (*first, *sorted(rose, key=lambda s: -rose[s])[:3])
