"""Every step points the same way and hardly moves."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import (
    UndecidedError,
    as_pairs,
    grade,
    paths,
    recent_medians,
    start_step,
)
from gradoctor.rules.evidence.exclusions import (
    Exclusion,
    adversarial,
    converged,
    fine_tuning,
    schedule_tail,
    warming_up,
)
from gradoctor.rules.evidence.harm import fall_rate
from gradoctor.rules.evidence.loss import loss_values
from gradoctor.rules.evidence.probes import probed, weighed
from gradoctor.rules.evidence.robust import median
from gradoctor.rules.evidence.timing import learning_rate
from gradoctor.rules.evidence.windows import one_batch

CLEAR_SIGNAL = 3.0  # grad.snr; healthy runs stay below 2
SAME_WAY = 0.15  # grad.cosine: what a signal of 3 over 50 steps implies for neighbours
STILL = 1e-3  # relative movement of the liveliest weight over the whole run
TINY = 1e-4  # largest relative update
CLEARLY = 0.2  # of the descent: what a run at another rate loses by
SLOW = 0.01  # of the baseline in 100 steps


@rule(proof="statistical", needs=("update.ratio", "loss.value", "grad.cosine"))
def lr_too_low(run: Recording) -> Iterator[Finding]:
    """The gradient is clear and constant, the updates are tiny, and the loss creeps.

    Mechanism: no weight is updated by more than 1e-4 of itself, and either successive gradients
    agree (signal to noise of at least 3) or no weight has moved by a thousandth over the whole run.
    With one fixed batch gradients always agree; then updates must be below 1e-5. Harm: the loss
    falls by less than 1 % of its baseline in 100 steps. The probe learning-rate confirms it where
    ten times the rate is better, and makes it a note where that is worse.

    Values: snr, cosine, update_ratio, lr, fall, moved
    """
    losses = loss_values(run).after(start_step(run))
    if len(losses) < 60:
        raise UndecidedError(f"too-short:{len(losses)}/60")
    updates = _updates(run)
    cosine = recent_medians(run, "grad.cosine").get(0, float("nan"))
    signal = recent_medians(run, "grad.snr").get(0, float("nan"))
    largest = max(updates.values(), default=0.0)
    limit = TINY / 10 if one_batch(run) else TINY
    moved = _moved(run)
    agree = cosine >= SAME_WAY and signal >= CLEAR_SIGNAL
    if not (0 < largest < limit and (agree or 0 < moved < STILL)):
        return
    fall, certain = fall_rate(run)
    exclusions = _benign(run)
    lr = learning_rate(run).values
    level_ = grade(persists=True, harm=fall < SLOW and certain, exclusions=exclusions)
    yield Finding(
        # small steps are right in each of these contexts, so one of them settles it
        level=Level.NOTE if any(e.found for e in exclusions) else _tried(run, level_),
        sites=tuple(s.id for s in run.of_kind("optimizer"))[:1],
        first_step=0,
        last_step=max(0, run.steps - 1),
        values={
            "snr": signal,
            "cosine": cosine,
            "update_ratio": largest,
            "lr": float(np.max(lr)) if len(lr) else float("nan"),
            "fall": fall,
            "moved": moved,
        },
        evidence=(
            Evidence("update.ratio", largest, limit, "ratio"),
            Evidence("grad.cosine", cosine, SAME_WAY, "cos"),
            Evidence("grad.snr", signal, CLEAR_SIGNAL, "ratio"),
            Evidence("weight.movement", moved, STILL, "ratio"),
            Evidence("loss.value", fall, SLOW, "of baseline/100 steps"),
        ),
        exclusions=as_pairs(exclusions),
    )


def _tried(run: Recording, level_: Level) -> Level:
    """What ten times the rate does."""
    trial = probed(run, "learning-rate")
    if trial is None:
        return level_
    worse = bool(trial.values.get("diverged_high")) or trial.number("gain_high") < -CLEARLY
    return weighed(level_, confirmed=trial.verdict == "higher", refuted=worse)


def _benign(run: Recording) -> tuple[Exclusion, ...]:
    return (
        warming_up(run),
        schedule_tail(run),
        fine_tuning(run),
        converged(run),
        adversarial(run),
        Exclusion("updates-lost", _lost(run)),
        Exclusion("vanishing", _uneven(run)),
    )


def _updates(run: Recording) -> dict[int, float]:
    """Relative updates of matrices."""
    return {
        s: u
        for s, u in recent_medians(run, "update.ratio").items()
        if s in run.sites and len(run.sites[s].meta.get("shape") or ()) > 1
    }


def _moved(run: Recording) -> float:
    """How far the liveliest matrix has come from where it began."""
    moved = recent_medians(run, "weight.movement")
    return max((moved[s] for s in _updates(run) if s in moved), default=float("nan"))


def _lost(run: Recording) -> bool:
    lost = recent_medians(run, "update.lost_fraction")
    return bool(lost) and median(list(lost.values())) > 0.5


def _uneven(run: Recording) -> bool:
    """Updates that differ a hundredfold between layers are no matter of one learning rate."""
    updates = _updates(run)
    own = [
        updates[w] for p in paths(run) for w in p.weights if w is not None and updates.get(w, 0) > 0
    ]
    return len(own) > 2 and min(own) < 1e-3 * max(own)
