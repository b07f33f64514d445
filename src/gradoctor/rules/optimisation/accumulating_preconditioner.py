"""Adagrad's and Adadelta's own step sizes have all but vanished."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError, as_pairs, recent_medians, start_step
from gradoctor.rules.evidence.depth import columns
from gradoctor.rules.evidence.exclusions import (
    adversarial,
    converged,
    fine_tuning,
    schedule_tail,
    warming_up,
)
from gradoctor.rules.evidence.harm import creeps, fall_rate
from gradoctor.rules.evidence.loss import loss_values
from gradoctor.rules.evidence.robust import median
from gradoctor.rules.evidence.timing import optimizers
from gradoctor.rules.evidence.updates import matrices

KINDS = ("Adagrad", "Adadelta")
TINY = 1e-3  # relative update of the liveliest matrix
FADED = 0.01  # of the step that the same gradient got at the start
SIGNAL = 2.0  # grad.snr: the gradient still knows where to go


@rule(proof="statistical", needs=("update.rms", "grad.rms", "loss.value"))
def accumulating_preconditioner(run: Recording) -> Iterator[Finding]:
    """An optimizer that divides by accumulated gradients hardly moves any more, or not yet.

    Mechanism: Adagrad's step for the same gradient has fallen below a hundredth of what it was (its
    sum of squares only grows), or Adadelta, which starts from its epsilon, updates no matrix by
    more than a thousandth; the gradient still points somewhere. Harm: the loss creeps.

    Values: optimizer, faded, update_ratio, lr
    """
    site = next((s for s in optimizers(run) if s.type in KINDS), None)
    if site is None:
        return
    if len(loss_values(run).after(start_step(run))) < 60:
        raise UndecidedError(f"too-short:{len(loss_values(run))}/60")
    faded = _faded(run)
    updates = recent_medians(run, "update.ratio")
    largest = max((updates[m] for m in matrices(run) if m in updates), default=float("nan"))
    signal = recent_medians(run, "grad.snr").get(0, float("nan"))
    weak = faded < FADED if site.type == "Adagrad" else largest < TINY
    fall, _ = fall_rate(run)
    if not (weak and signal >= SIGNAL and fall > 0):
        return
    exclusions = (
        adversarial(run), warming_up(run), schedule_tail(run), converged(run), fine_tuning(run),
    )  # fmt: skip
    if any(e.found for e in exclusions):
        return
    yield Finding(
        level=Level.SUSPECT if creeps(run) else Level.NOTE,
        sites=(site.id,),
        first_step=start_step(run),
        last_step=max(0, run.steps - 1),
        values={
            "optimizer": site.type,
            "faded": faded,
            "update_ratio": largest,
            "lr": float(site.meta.get("lr") or float("nan")),
        },
        evidence=(
            Evidence("update.rms", faded, FADED, "of first"),
            Evidence("update.ratio", largest, TINY, "ratio"),
            Evidence("grad.snr", signal, SIGNAL, "ratio"),
        ),
        exclusions=as_pairs(exclusions),
    )


def _faded(run: Recording) -> float:
    """The step over the gradient now, over the same in the first five looks; median of matrices."""
    chosen = matrices(run)
    updates, grads = columns(run, "update.rms", chosen), columns(run, "grad.rms", chosen)
    if len(updates) != len(grads) or len(updates) < 10:
        return float("nan")
    with np.errstate(divide="ignore", invalid="ignore"):
        length = updates / grads
    first = [median(column) for column in length[:5].T]
    last = [median(column) for column in length[-5:].T]
    return median([b / a for a, b in zip(first, last, strict=True) if a > 0])
