"""The loss of a run: which one leads, how far it is from the trivial baseline."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from gradoctor.knowledge.baselines import BASELINES
from gradoctor.recording import EMPTY_SERIES, Recording, Series
from gradoctor.records import Site
from gradoctor.rules.evidence.robust import Array, ema, median


def leading_loss(run: Recording) -> Site | None:
    """The loss site that was seen most often (the first of equals)."""
    return _most_seen(run, "loss", "loss.value", "loss.nonfinite")


def leading_function(run: Recording) -> Site | None:
    """The loss function whose value was seen most often, those that reach a backward first."""
    return run.derive(
        "leading_function", lambda r: _most_seen(r, "lossfn", "lossfn.value", "lossfn.baseline")
    )


def _most_seen(run: Recording, kind: str, *statistics: str) -> Site | None:
    known = [s for s in run.sites.values() if s.kind == kind]
    sites = [s for s in known if not s.meta.get("evaluation")]
    if not sites:
        return None

    def weight(site: Site) -> tuple[int, bool, int]:
        seen = max(len(run.series(name, site.id)) for name in statistics)
        return seen, site.meta.get("loss") is not None, -site.id

    return max(sites, key=weight)


def loss_values(run: Recording) -> Series:
    """The leading loss at every step where it was finite."""
    site = leading_loss(run)
    return EMPTY_SERIES if site is None else run.series("loss.value", site.id)


Floats = np.ndarray[tuple[int], np.dtype[np.float32]]


class Level(NamedTuple):
    """The loss function's values against its trivial baseline.

    Attributes:
        site: the loss function.
        steps, ratio: r = (b - EMA(loss)) / b at each look; 0 is "knows nothing of the input".
        baseline: b, from all targets of the run.
        noise: standard error of the window's mean loss, in units of b.
        regression: judged by variance rather than entropy.
        now: r at the end. Looks lie far apart late in a run, and a smooth mean over fifty of them
            lags behind: where the last values are clearly better, they count.
    """

    site: Site
    steps: np.ndarray[tuple[int], np.dtype[np.int64]]
    ratio: Array
    baseline: float
    noise: float
    regression: bool
    now: float


def level(run: Recording) -> Level | None:
    """The leading loss function against its baseline; None where no baseline is known."""
    return run.derive("loss_level", _level)


def _level(run: Recording) -> Level | None:
    site = leading_function(run)
    if site is None:
        return None
    values, base = run.series("lossfn.value", site.id), run.series("lossfn.baseline", site.id)
    if len(values) < 2 or not len(base):
        return None
    b = float(base.values[-1])
    if not np.isfinite(b) or b <= 1e-6:
        return None
    smooth = ema(values.values, max(5, min(50, len(values) // 4)))
    tail = values.values[-max(20, len(values) // 3) :].astype(np.float64)
    noise = float(np.std(tail) / np.sqrt(len(tail)) / b)
    ratio = (b - smooth) / b
    latest = _latest(run, site, values.values).astype(np.float64)
    unsure = float(np.std(latest)) / np.sqrt(len(latest))
    now = max(float(ratio[-1]), (b - float(np.median(latest)) - 3 * unsure) / b)
    return Level(site, values.steps, ratio, b, noise, is_regression(site), now)


def _latest(run: Recording, site: Site, seen: Floats) -> Floats:
    """The last values: of every step where the loss is this function's alone, else of the looks."""
    fact = next(iter(run.facts_of("loss_call", site.id)), None)
    factor, root = (fact.data.get("factor") if fact else None), site.meta.get("loss")
    if not factor or root is None or site.meta.get("reduction") == "sum":
        return seen[-10:]
    every = run.series("loss.value", root).values[-30:]
    return every / np.float32(factor) if len(every) == 30 else seen[-10:]


def trivial_level(run: Recording) -> float:
    """The baseline in the units of the leading loss; where the loss began if none is known."""
    losses, known = loss_values(run), level(run)
    begin = float(median(losses.values[:3]))
    if known is None:
        return begin
    values = run.series("lossfn.value", known.site.id).values
    own = float(median(values[:3]))
    same = abs(own - begin) <= 0.05 * max(abs(own), abs(begin))
    return known.baseline if same else begin


def is_regression(site: Site) -> bool:
    """True when the loss function's trivial predictor is a number rather than a distribution."""
    trivial = BASELINES.get(str(site.meta.get("function") or site.type))
    return trivial is not None and trivial.family == "regression"


def initial_ratio(run: Recording) -> float:
    """Loss at the first look over the loss of an uninformed predictor; NaN where unknown.

    There are two uninformed predictors: the best constant, and an output of 0, from which the best
    constant is learnt. Between their losses the ratio is 1, above it is that to the larger one. A
    batch's targets, or labels, may vary less than the run's: its own constant counts for what is
    small, the run's for what is large.
    """
    site = leading_function(run)
    if site is None:
        return float("nan")
    values = run.series("lossfn.value", site.id)
    base = run.series("lossfn.baseline", site.id)
    if not len(values) or not len(base) or values.steps[0] > 2:
        return float("nan")
    first, b = float(values.values[0]), float(base.values[-1])
    if not np.isfinite(b) or b <= 1e-6:
        return float("nan")
    low, high = min(b, float(base.values[0])), max(b, _of_zeros(run, site, b))
    if first > high:
        return first / high
    return first / low if first < low else 1.0


def _of_zeros(run: Recording, site: Site, constant: float) -> float:
    """The loss of a network whose outputs are all 0: undecided between classes, or far off."""
    function = str(site.meta.get("function") or site.type)
    if not is_regression(site):
        classes = 2 if function.startswith("binary") else int(site.meta.get("classes") or 1)
        return float(np.log(classes))
    mean = median(run.series("target.mean", site.id).values)
    extra = abs(mean) if "l1" in function else mean**2
    return constant + (extra if np.isfinite(extra) else 0.0)


def recovered(run: Recording) -> int:
    """First step at which the smoothed loss was down to the baseline; -1 if never."""
    known = level(run)
    if known is None:
        return -1
    reached = np.flatnonzero(known.ratio > -0.05)
    return int(known.steps[int(reached[0])]) if len(reached) else -1
