"""Harm, H1 to H5: is the outcome bad, in the part of the network that the mechanism touches?"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from gradoctor.recording import Recording, Series
from gradoctor.rules.evidence.exclusions import adversarial, moving_targets, too_early
from gradoctor.rules.evidence.loss import (
    Floats,
    Level,
    leading_loss,
    level,
    loss_values,
    trivial_level,
)
from gradoctor.rules.evidence.persistence import recovers, window
from gradoctor.rules.evidence.robust import bootstrap_difference, ema, mad, median
from gradoctor.rules.evidence.timing import EARLIEST, is_final, learning_rate, start_step
from gradoctor.rules.evidence.windows import recent_medians


class Harm(NamedTuple):
    """The outcome of one harm test: its name (H1 ... H5), whether it failed, since when."""

    test: str
    found: bool
    since: int = 0
    value: float = float("nan")
    why: str = ""


NONE = Harm("", False)
LITTLE = 0.2


def diverged(run: Recording) -> Harm:
    """H1: the loss is no longer finite, or has grown past the baseline and stays there."""
    return run.derive("diverged", lambda r: _nonfinite(r) if _nonfinite(r).found else _grown(r))


def _nonfinite(run: Recording) -> Harm:
    site = leading_loss(run)
    codes = None if site is None else run.series("loss.nonfinite", site.id)
    if codes is None or not len(codes):
        return NONE
    bad = codes.values > 0
    # one bad batch that was got over is not divergence; a run that ends on one is
    if not bad[-min(3, len(bad)) :].all():
        return NONE
    good = np.flatnonzero(~bad)
    first = int(codes.steps[int(good[-1]) + 1]) if len(good) else int(codes.steps[0])
    return Harm("H1", True, first, float("nan"), "non-finite")


def _grown(run: Recording) -> Harm:
    """Smoothed loss above 1.5 times its best and above the baseline for >= 20 steps to the end.

    Where no baseline is known: above ten times where it began.
    """
    losses = loss_values(run)
    if len(losses) < 40 or adversarial(run).found or moving_targets(run).found:
        return NONE
    smooth = ema(losses.values, 10)
    start = float(np.abs(losses.values[:20]).max())
    # what a loss of the script's own counts may grow by itself: returns, a term that is turned up
    if level(run) is None and abs(smooth[-1]) < 10 * start:
        return NONE
    best = int(np.argmin(smooth))
    floor = trivial_level(run)
    low = float(smooth[best])
    bar = max(low + 0.5 * abs(low), floor + 0.1 * abs(floor))
    over = smooth > bar
    if not over[-20:].all() or best >= len(smooth) - 20:
        return NONE
    below = np.flatnonzero(~over)
    since = int(losses.steps[int(below[-1]) + 1]) if len(below) else int(losses.steps[0])
    return Harm("H1", True, since, float(smooth[-1]) / max(abs(floor), 1e-12), "grown")


def _is_surrogate(run: Recording, losses: Series) -> bool:
    """A loss of the script's own that goes below 0 (a policy gradient): up is not worse."""
    return level(run) is None and float(losses.values.min()) < 0


def stuck(run: Recording) -> Harm:
    """H2: the loss is where a predictor that ignores its input would be, and so is the output."""
    return run.derive("stuck", _stuck)


def _stuck(run: Recording) -> Harm:
    known = level(run)
    if known is None or adversarial(run).found or too_early(run, final=is_final(run)).found:
        return NONE
    if _went_on_falling(run, int(known.steps[-1])):
        return NONE
    counted = int((known.steps >= start_step(run)).sum())
    # where looks were dear and few lie after the start step, those before it count, too
    ratio = known.ratio[known.steps >= EARLIEST][-max(20, counted // 3) :]
    if len(ratio) < 10:
        return NONE
    at = median(ratio)
    tolerance = max(0.03, min(0.15, 2.0 * known.noise))
    constant = constant_output(run, known)
    if constant is None:
        found = abs(at) < 0.03 and float(np.mean(np.abs(ratio) < 0.03)) >= 0.8
    else:
        found = constant and at < tolerance and float(np.mean(ratio < tolerance)) >= 0.8
    better = np.flatnonzero(known.ratio > max(tolerance, 0.03))
    since = int(known.steps[int(better[-1]) + 1]) if found and len(better) else 0
    return Harm("H2", bool(found), since, at, "stuck")


def _went_on_falling(run: Recording, last: int) -> bool:
    """After the last look the loss, which is seen at every step, fell by a tenth or more."""
    losses = loss_values(run)
    later = losses.values[losses.steps > last]
    before = losses.values[losses.steps <= last][-20:]
    if len(later) < 20 or not len(before) or median(before) <= 0:
        return False
    return median(later[-20:]) < 0.9 * median(before)


def settled(run: Recording) -> bool:
    """Stuck for good, as far as can be seen: 200 steps or more, and the output is not stirring.

    For rules whose own mechanism is the constant output: it is no second witness to H2, and a
    shallow net of PyTorch's default weights shows both for its first hundred steps.
    """
    known = level(run)
    if known is None or not stuck(run).found or too_early(run, final=False).found:
        return False
    return not recovers(_log_dependence(run, known), float(-np.log2(1e-2)))


def learnt_nothing(run: Recording) -> bool:
    """The loss is no better than a blind guess, nor 3 % of one lower than at the run's middle.

    Weaker than ``stuck``, which asks for a constant output besides: for rules whose mechanism says
    by itself why an output that varies tells nothing.
    """
    known = level(run)
    if known is None or known.now >= 0.03 or adversarial(run).found:
        return False
    if too_early(run, final=False).found:
        return False
    half = known.ratio[known.steps >= run.steps // 2]
    return stuck(run).found or (len(half) > 1 and known.now - float(half[0]) < 0.03)


def barely_learnt(run: Recording) -> bool:
    """After 100 steps the loss has gained less than a fifth of its baseline.

    Where no baseline is known: of the lower quartile of its first 20 steps.
    """
    losses, known = loss_values(run).values, level(run)
    if len(losses) < 100 or adversarial(run).found:
        return False
    if known is not None:
        return known.now < LITTLE
    begun = float(np.percentile(losses[:20], 25))
    return begun > 0 and median(losses[-max(20, len(losses) // 5) :]) > (1 - LITTLE) * begun


def _log_dependence(run: Recording, known: Level) -> Series:
    """log2 of how far the prediction depends on the sample, negated: large is ill."""
    ratio = window(run, run.series("prediction.centred_ratio", known.site.id))
    return Series(ratio.steps, -np.log2(np.maximum(ratio.values, 1e-12)))


def constant_output(run: Recording, known: Level) -> bool | None:
    """Whether the prediction hardly depends on the sample; None where that was not observed."""
    ratio = recent_medians(run, "prediction.centred_ratio").get(known.site.id)
    if known.regression:
        size = recent_medians(run, "prediction.rms").get(known.site.id)
        spread = recent_medians(run, "target.std").get(known.site.id)
        if ratio is None or size is None or not spread:
            return None if ratio is None else ratio < 1e-2
        return ratio * size**2 < 1e-2 * spread**2
    if ratio is None:
        return None
    if ratio < 1e-2:
        return True
    divergence = recent_medians(run, "lossfn.kl").get(known.site.id, 1.0)
    # logits that all but vanish have a meaningless ratio: the mean prediction is the witness
    size = recent_medians(run, "prediction.rms").get(known.site.id, 1.0)
    return bool(divergence < 0.02 and size * np.sqrt(ratio) < 0.03)


def no_progress(run: Recording) -> Harm:
    """H3: over the last half (300 steps or more) the loss did not fall significantly."""
    return run.derive("no_progress", _no_progress)


def _no_progress(run: Recording) -> Harm:
    losses = loss_values(run).after(start_step(run))
    lr = learning_rate(run)
    if len(losses) < 60 or adversarial(run).found or _is_surrogate(run, losses):
        return NONE
    if moving_targets(run).found:
        return NONE
    if len(lr) and float(np.max(lr.values)) <= 0:
        return NONE
    recent = _without_dips(losses.values[-max(300, len(losses) // 2) :])
    third = len(recent) // 3
    low, _ = bootstrap_difference(recent[:third], recent[-third:])
    return Harm("H3", low <= 0.0, int(losses.steps[-len(recent)]), low, "no-progress")


def _without_dips(values: Floats) -> Floats:
    """Raised to 5 MADs below the median: a summed loss dips at each smaller batch."""
    return np.maximum(values, np.float32(median(values) - 5 * mad(values)))


def left_behind(run: Recording, weights: Iterable[int]) -> Harm:
    """H4: these weights moved < 2 % of what the best layer did, or took no part in the progress."""
    chosen = tuple(weights)
    moved = recent_medians(run, "weight.movement")
    own = [moved[w] for w in chosen if w in moved]
    best = max((v for s, v in moved.items() if _is_matrix(run, s)), default=0.0)
    if own and best > 0 and max(own) < 0.02 * best:
        return Harm("H4", True, 0, max(own) / best, "moved")
    share = recent_medians(run, "update.progress")
    shares = [share[w] for w in chosen if w in share]
    if shares and max(shares) < 1e-6:
        return Harm("H4", True, 0, max(shares), "share")
    return NONE


def _is_matrix(run: Recording, site: int) -> bool:
    """Gains and biases that start near 0 move by any ratio: only matrices set the scale."""
    meta = run.sites[site].meta if site in run.sites else {}
    return len(meta.get("shape") or (1, 1)) > 1 and int(meta.get("numel") or 64) >= 64


def worst_outcome(run: Recording) -> Harm:
    """The first of H1 and H2 that failed."""
    for test in (diverged(run), stuck(run)):
        if test.found:
            return test
    return NONE


def fall_rate(run: Recording) -> tuple[float, bool]:
    """Fall of the loss in 100 steps over its baseline, and whether the loss may be judged by it."""
    losses = loss_values(run).after(start_step(run))
    known = level(run)
    third = len(losses) // 3
    scale = known.baseline if known is not None else abs(median(losses.values[:third]))
    gone = median(losses.values[:third]) - median(losses.values[-third:])
    apart = float(losses.steps[-1] - losses.steps[0]) * 2 / 3
    low, _ = bootstrap_difference(losses.values[:third], losses.values[-third:])
    # falling for certain, or too slow to tell from standing still; rising is another disease
    certain = low > -0.05 * scale
    return (100.0 * gone / apart / scale if scale > 0 and apart > 0 else float("nan")), certain


def creeps(run: Recording) -> bool:
    """The loss is far from solved and falls by less than 1 % of its baseline in 100 steps."""
    known = level(run)
    if known is None or known.now >= 0.5 or len(loss_values(run).after(start_step(run))) < 60:
        return False
    fall, certain = fall_rate(run)
    return certain and fall < 0.01
