"""Steps so large that the loss is thrown out of the valley."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording, Series
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import (
    Harm,
    as_pairs,
    diverged,
    grade,
    no_progress,
    recent_medians,
    start_step,
    stuck,
)
from gradoctor.rules.evidence.depth import columns
from gradoctor.rules.evidence.exclusions import Exclusion, adversarial, converged
from gradoctor.rules.evidence.loss import leading_function, level, loss_values
from gradoctor.rules.evidence.probes import probed, weighed
from gradoctor.rules.evidence.relapse import RAISED, WITHIN, Rise, raised, relapsed
from gradoctor.rules.evidence.robust import median, row_medians
from gradoctor.rules.evidence.spikes import AFTER, gradient_outliers
from gradoctor.rules.evidence.timing import learning_rate
from gradoctor.rules.evidence.updates import LARGE, bursts, matrices

EARLY = 50  # steps: what kills a network at once
ALIVE = 0.005  # prediction.centred_ratio of a network that sees its input
COLLAPSED = 0.01  # of what it was
FADED = 1 / 3  # of what a weight was at first
LEARNT = 0.9  # of the loss before a burst: below, the burst has killed nothing
WORSE = 0.1  # of the baseline, above it
INFORMED = 0.1  # of the baseline, below it


@rule(proof="statistical", needs=("update.ratio", "loss.value"))
def lr_too_high_divergence(run: Recording) -> Iterator[Finding]:
    """The step size is beyond stability.

    Mechanism: in one step at least half of the weights change by more than a tenth of themselves.
    Or the rate was raised threefold or more in one step. Harm: the loss diverges from there on, or
    all that was learnt is lost for good, or the burst leaves a network that is stuck at the trivial
    baseline or makes no progress above it (dead units stay dead when the loss has come down again).

    A tenth of the rate tells (the probe learning-rate): where it is clearly better the finding is
    confirmed.

    Values: update_ratio, share, lr, usual (the rate before it was raised), kind, loss, best
    """
    outcome = _thrown_out(run)
    rise = raised(run, outcome.since) if outcome.found else None
    if rise is not None:
        yield _raised(run, rise)
        return
    large = _own(run)
    if not len(large):
        return
    if outcome.found:
        onset = _before(large, outcome.since)
        kind = outcome.why
    elif _stalled(run) and _killed(run, large):
        onset, kind = int(large.steps[0]), "killed"
    else:
        return
    if onset >= 0:
        yield _thrown(run, large, onset, kind)


def _thrown(run: Recording, large: Series, onset: int, kind: str) -> Finding:
    at = int(np.searchsorted(large.steps, onset))
    losses = loss_values(run).values
    lr = learning_rate(run).values
    exclusions: tuple[Exclusion, ...] = (adversarial(run),)
    benign = () if kind == "non-finite" else exclusions
    return Finding(
        level=_tried(run, grade(persists=True, harm=True, exclusions=benign)),
        sites=_worst(run, onset),
        first_step=onset,
        last_step=max(onset, run.steps - 1),
        values={
            "update_ratio": float(large.values[min(at, len(large) - 1)]),
            "share": 0.5,
            "lr": float(np.max(lr)) if len(lr) else float("nan"),
            "kind": kind,
            "loss": median(losses[-5:]),
            "best": float(np.min(losses)) if len(losses) else float("nan"),
        },
        evidence=(
            Evidence("update.ratio", float(large.values.max()), LARGE, "ratio"),
            Evidence("loss.value", median(losses[-5:]), None, "loss"),
        ),
        exclusions=as_pairs(exclusions),
    )


def _thrown_out(run: Recording) -> Harm:
    """H1, or a loss that is back at the trivial level after it had been far below.

    What a loss of the script's own counts may change in mid-run: there a burst must be the witness.
    """
    outcome, back = diverged(run), relapsed(run)
    near = np.abs(bursts(run).steps - back.step) <= WITHIN
    lost = back.found and (level(run) is not None or bool(near.any()))
    return outcome if outcome.found else Harm("H1", lost, back.step, back.after, "grown")


def _raised(run: Recording, rise: Rise) -> Finding:
    exclusions: tuple[Exclusion, ...] = (adversarial(run),)
    losses = loss_values(run)
    before = losses.values[losses.steps < rise.step]
    return Finding(
        level=_tried(run, grade(persists=True, harm=True, exclusions=exclusions)),
        sites=tuple(s.id for s in run.of_kind("optimizer"))[:1],
        first_step=rise.step,
        last_step=max(rise.step, run.steps - 1),
        values={
            "update_ratio": float("nan"),
            "share": float("nan"),
            "lr": rise.after,
            "usual": rise.before,
            "kind": "raised",
            "loss": median(losses.values[-5:]),
            "best": float(np.min(before)) if len(before) else float("nan"),
        },
        evidence=(
            Evidence("lr", rise.after, RAISED * rise.before, ""),
            Evidence("loss.value", median(losses.values[-5:]), None, "loss"),
        ),
        exclusions=as_pairs(exclusions),
    )


def _tried(run: Recording, level: Level) -> Level:
    """What a tenth of the rate does; a rate may be too high by more than ten: no refutation."""
    trial = probed(run, "learning-rate")
    lower = trial is not None and trial.verdict == "lower"
    return weighed(level, confirmed=lower, refuted=False)


def _stalled(run: Recording) -> bool:
    standing = no_progress(run).found and not converged(run).found
    return stuck(run).found or standing or _worse_off(run)


def _worse_off(run: Recording) -> bool:
    """After 100 steps and more no better than at the first, and far worse than a blind guess.

    So in all of the last half: what a burst has thrown up may take thousands of steps to come down.
    """
    known, losses = level(run), loss_values(run)
    if known is None or len(losses) < 2 * EARLY or adversarial(run).found:
        return False
    half = known.ratio[known.steps >= run.steps // 2]
    late = losses.values[len(losses) // 2 :]
    risen = median(late) > float(losses.values[0]) and len(half) > 0
    return risen and known.now < -WORSE and bool((half < -WORSE).all())


def _own(run: Recording) -> Series:
    """The bursts that are a matter of the rate.

    Neither those that a gradient far beyond all others has made, nor those of weights of which
    little is left: beside next to nothing any update is large.
    """
    large = bursts(run)
    own = ~_faded(run, large.steps)
    for outlier in gradient_outliers(run):
        own &= (large.steps < outlier.step) | (large.steps > outlier.step + AFTER)
    return Series(large.steps[own], large.values[own])


def _faded(
    run: Recording, steps: np.ndarray[tuple[int], np.dtype[np.int64]]
) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """At which steps half of the matrices have less than a third of the size they started with."""
    sizes = columns(run, "weight.rms", matrices(run))
    seen = run.table("weight.rms").steps
    if not sizes.size or not len(seen):
        return np.zeros(len(steps), bool)
    left = row_medians((sizes / np.maximum(sizes[:1], 1e-30)).astype(np.float32))
    at = np.clip(np.searchsorted(seen, steps, "right") - 1, 0, len(left) - 1)
    return np.nan_to_num(left[at], nan=1.0) < FADED


def _before(large: Series, since: int) -> int:
    """The burst that the divergence began with: the first within 50 steps before it."""
    reach = max(EARLY, since // 5)
    near = large.steps[(large.steps <= since + 2) & (large.steps >= since - reach)]
    return int(near[0]) if len(near) else -1


def _killed(run: Recording, large: Series) -> bool:
    """A burst while the network was young (at any time if it is stuck), and a mark that it left.

    The mark: dead or saturated units now, a loss that shot up right after the burst, or an output
    that depended on the input before it and hardly does now.
    """
    first = int(large.steps[0])
    if first > EARLY and not stuck(run).found:
        return False
    dead = max(recent_medians(run, "act.dead_fraction").values(), default=0.0)
    flat = max(recent_medians(run, "act.saturated_fraction").values(), default=0.0)
    losses = loss_values(run)
    start = losses.values[: max(1, int(np.searchsorted(losses.steps, first + 1)))]
    ahead = losses.values[np.searchsorted(losses.steps, first) :][:EARLY]
    # a loss of the script's own may shoot up with what it counts: returns, mostly
    known = level(run) is not None
    shot = known and len(ahead) > 0 and float(ahead.max()) > 1.5 * float(np.median(start))
    shot = shot and median(losses.values[-20:]) > LEARNT * float(np.median(start))
    return dead >= 0.5 or flat >= 0.5 or shot or _collapsed(run, first)


def _collapsed(run: Recording, step: int) -> bool:
    """Predictions differ a hundred times less between samples than up to that step.

    Where the loss is below that of any constant answer they do depend on the sample: the part that
    is common to all samples has grown (the log-probabilities of rare words).
    """
    known = level(run)
    if known is not None and known.now > INFORMED:
        return False
    site = leading_function(run)
    ratio = run.series("prediction.centred_ratio", -1 if site is None else site.id)
    before = ratio.values[: int(np.searchsorted(ratio.steps, step, "right"))]
    if not len(before) or len(ratio.after(start_step(run))) < 3:
        return False
    best = float(before.max())
    return best >= ALIVE and median(ratio.after(start_step(run)).values) < COLLAPSED * best


def _worst(run: Recording, step: int) -> tuple[int, ...]:
    """The optimizer first, then up to five weights that changed the most at that step."""
    table = run.table("update.ratio")
    row = table.values[int(np.searchsorted(table.steps, step))]
    place = {s: i for i, s in enumerate(table.sites)}
    known = [(float(row[place[w]]), w) for w in matrices(run) if w in place]
    ranked = sorted(((v, w) for v, w in known if not np.isnan(v)), reverse=True)
    leaders = [s.id for s in run.of_kind("optimizer")][:1]
    return (*leaders, *(w for _, w in ranked[:5]))
