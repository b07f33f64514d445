"""The loss stands still because each step throws away what the one before has won."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError, as_pairs, diverged, no_progress
from gradoctor.rules.evidence.exclusions import (
    Exclusion,
    accumulating,
    adversarial,
    schedule_tail,
    warming_up,
)
from gradoctor.rules.evidence.loss import level, loss_values
from gradoctor.rules.evidence.robust import Array, median
from gradoctor.rules.evidence.timing import is_final, learning_rate, optimizers
from gradoctor.rules.evidence.updates import bursts, momentum
from gradoctor.rules.evidence.windows import one_batch

GAIN = 0.4  # of the loss that shorter steps would take off
PROMISE = 0.1  # of the loss that one step on a fixed batch foretells
REVERSED = -0.3  # grad.cosine of a fixed batch
CREEP = 0.02  # fall of the loss over the half that counts as standing still on a fixed batch
POOR = 0.5  # r: at least half of the baseline is left
MIDDLING = 0.9
WORSE = 2.5  # loss over its own best that is worth a note although it is not poor
ABOVE = 1.5  # likewise where it is poor
VIOLENT = 0.25  # relative update of half of the weights in one step
FEWEST = 5  # looks at updates


class Standing(NamedTuple):
    """The half of the run in which the loss stands still.

    Attributes:
        since: its first step.
        loss: median of the loss there (of all backward passes of a step).
        promised: median of the fall that a step foretells, over the loss.
        worse: the loss of the last third over the best that the run had reached before.
        fall: first third over last third of that half, less 1.
    """

    since: int
    loss: float
    promised: float
    worse: float
    fall: float


@rule(proof="statistical", needs=("update.predicted", "loss.value"))
def lr_too_high_oscillation(run: Recording) -> Iterator[Finding]:
    """The loss stands still or climbs while every step foretells a large fall.

    With minibatches, a loss that neither rises nor falls is an equilibrium of noise and descent;
    there a share of ``promised / (4 (1 - momentum))`` of it is owed to the length of the steps
    (exact for a quadratic). With one fixed batch there is no noise, and gradients that reverse from
    step to step are proof. Harm: the loss is poor, beside first steps that wrecked the weights or a
    level far above its own best; or it has climbed past its baseline.

    Values: kind (noise, valley, climbing), promised, gain, worse, lr, loss
    """
    outcome = diverged(run)
    if outcome.why == "non-finite":
        return  # what came before the NaN is no equilibrium
    standing = _standing(run)
    steps = optimizers(run)
    gain = standing.promised / (4.0 * (1.0 - momentum(steps[0])))
    if one_batch(run):
        kind = "valley" if _valley(run, standing) else ""
    elif outcome.found:
        kind = "climbing" if gain >= GAIN else ""
    else:
        kind = "noise" if no_progress(run).found and gain >= GAIN else ""
    if not kind:
        return
    exclusions = (adversarial(run), warming_up(run), schedule_tail(run))
    found = _level(run, standing, exclusions, kind)
    if found is None:
        return
    lr = learning_rate(run).values
    first = bursts(run).steps
    yield Finding(
        level=found,
        sites=(steps[0].id,),
        first_step=int(first[0]) if len(first) else standing.since,
        last_step=max(0, run.steps - 1),
        values={
            "kind": kind,
            "promised": standing.promised,
            "gain": min(gain, 1.0),
            "worse": standing.worse,
            "lr": float(np.max(lr)) if len(lr) else float("nan"),
            "loss": standing.loss,
        },
        evidence=_evidence(run, standing, gain, kind),
        exclusions=as_pairs(exclusions),
    )


def _standing(run: Recording) -> Standing:
    """What the last half of the run looks like.

    Raises:
        UndecidedError: too few steps, a loss below 0, or updates that belong to several optimizers.
    """
    losses = loss_values(run)
    if len(losses) < 100:
        raise UndecidedError(f"too-short:{len(losses)}/100")
    if len(optimizers(run)) != 1 or any(f.data.get("closure") for f in run.facts_of("optimizer")):
        raise UndecidedError(adversarial(run).name)
    since = int(losses.steps[len(losses) // 2])
    after = losses.after(since)
    predicted = run.series("update.predicted").after(since)
    count = median(run.series("backward.count").values) if accumulating(run).found else 1.0
    if len(predicted) < FEWEST:
        raise UndecidedError(f"too-short:{len(predicted)}/{FEWEST}")
    loss = median(after.values) * count
    if float(losses.values.min()) < 0 or loss <= 0:
        raise UndecidedError("no-baseline")  # below 0 nothing says how far there is to fall
    third = len(after) // 3
    now = median(after.values[-third:])
    before = losses.values[: len(losses) - third]
    return Standing(
        since,
        loss,
        -median(predicted.values) / loss,
        now / max(_best(before), 1e-12),
        median(after.values[:third]) / max(now, 1e-12) - 1.0,
    )


def _best(values: np.ndarray[tuple[int], np.dtype[np.float32]]) -> float:
    """The lowest median of a tenth of the run: what it held, not what one batch happened to be."""
    width = max(20, len(values) // 10)
    windows = np.lib.stride_tricks.sliding_window_view(values.astype(np.float64), width)
    middles: Array = np.median(windows[:: max(1, width // 4)], axis=1)
    return float(middles.min())


def _valley(run: Recording, standing: Standing) -> bool:
    """With one batch there is no noise: the loss stands still and the gradients reverse."""
    cosine = run.series("grad.cosine").after(standing.since)
    reversed_ = len(cosine) >= FEWEST and median(cosine.values) <= REVERSED
    return reversed_ and standing.promised >= PROMISE and standing.fall < CREEP


def _level(
    run: Recording, standing: Standing, exclusions: tuple[Exclusion, ...], kind: str
) -> Level | None:
    """Poor beside a mark of violence is sick; poor, or less than that beside one, is suspect.

    None: the loss is low and near its best, so that longer or shorter steps make no matter.
    """
    known = level(run)
    large = bursts(run).values
    violent = len(large) > 0 and float(large.max()) >= VIOLENT
    poor = known is not None and known.now < POOR
    middling = known is not None and known.now < MIDDLING
    worse = standing.worse >= WORSE
    certain = kind != "noise" or violent or standing.worse >= ABOVE
    if poor and certain and is_final(run):
        found = Level.SICK
    elif poor or (violent and middling):
        found = Level.SUSPECT
    elif middling or worse:
        found = Level.NOTE
    else:
        return None
    return Level.NOTE if any(e.found for e in exclusions) else found


def _evidence(run: Recording, standing: Standing, gain: float, kind: str) -> tuple[Evidence, ...]:
    cosine = run.series("grad.cosine").after(standing.since)
    worse = Evidence("loss.value", standing.worse, WORSE, "times best")
    if kind == "valley":
        return (
            Evidence("update.predicted", standing.promised, PROMISE, "share"),
            Evidence("grad.cosine", median(cosine.values), REVERSED, "cos"),
            worse,
        )
    return (Evidence("update.predicted", gain, GAIN, "of loss"), worse)
