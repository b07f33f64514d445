"""The learning rate does not follow the schedule that was meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gradoctor.recording import Recording, Series
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.evaluation import evaluations
from gradoctor.rules.evidence.exclusions import converged
from gradoctor.rules.evidence.harm import barely_learnt
from gradoctor.rules.evidence.loss import loss_values
from gradoctor.rules.evidence.robust import mad, median
from gradoctor.rules.evidence.timing import YOUNG, is_final

CYCLIC = ("CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR")
STEPPED = ("ExponentialLR", "MultiStepLR", "StepLR")
EARLY = 0.25
GONE = 1e-3
SPENT = (0.1, 0.05)  # of the run; of the highest rate
STILL = 10
JUDGED = 100  # steps from which on a spent rate can be told
FIRST = 3  # steps
FACTOR, EXACT = 0.02, 1e-5  # a factor that small is no warm-up's first; the square, to the bit
AHEAD, LITTLE = 5, 0.01  # epochs; of the rate


Rates = np.ndarray[tuple[int], np.dtype[np.float64]]


@rule(proof="structural", needs=("fact:scheduler",))
def lr_schedule_misuse(run: Recording) -> Iterator[Finding]:
    """A scheduler is stepped before the optimizer, per batch instead of per epoch, or never.

    Or the rate that it gives is zero, or the square of what was meant (a LambdaLR that returns a
    rate instead of a factor). Cyclic schedules may return; a rate of zero at the end of a schedule
    is its end; a rate that still climbs is warming up; one that fell early is fine where the run
    has converged all the same; a plateau scheduler follows its metric. In the first steps a rate
    that is the square of the optimizer's, or a decay per batch that leaves nothing to the sixth
    epoch, is a suspicion.

    Values: kind (before_first_step, too_fast, zero, tiny_factor, turned_up, too_slow,
    never_stepped, wrong_mode, dead_optimizer), scheduler, lr (now), first (at the start), step
    (where it happened)
    """
    for fact in run.facts_of("scheduler"):
        if fact.site is None:
            continue
        owner = fact.data.get("optimizer")
        rate = run.series("lr", owner if isinstance(owner, int) else -1)
        kind, step, level = _fault(run, fact, rate)
        if not kind:
            continue
        lr = float(rate.values[-1]) if len(rate) else float("nan")
        first = _base(fact.data) or float(rate.values[:1].max(initial=0))
        yield Finding(
            level, (fact.site,), step, max(0, run.steps - 1),
            {"kind": kind, "scheduler": fact.data.get("class", ""), "lr": lr, "first": first,
             "step": step},
            (Evidence("lr", lr, first, "", owner if isinstance(owner, int) else None),),
            file=fact.file, line=fact.line,
        )  # fmt: skip


def _fault(run: Recording, fact: Fact, rate: Series) -> tuple[str, int, Level]:
    data, found = fact.data, ("", 0, Level.NOTE)
    if data.get("optimizer_live") is False:
        others = any(int(f.data.get("steps") or 0) >= 20 for f in run.facts_of("optimizer"))
        bound = others and int(data.get("steps") or 0) > 1 and is_final(run)
        return ("dead_optimizer", 0, Level.SUSPECT) if bound else found
    steps, of_optimizer = int(data.get("steps") or 0), int(data.get("optimizer_steps") or 0)
    skipped = run.series("scaler.skipped")
    began_skipped = len(skipped) and int(skipped.steps[0]) == 0 and skipped.values[0] > 0
    # a single call ahead of a loop that steps both: the first value was passed over on purpose
    ahead = steps == of_optimizer + 1
    if data.get("before_first_step") and of_optimizer > 0 and not began_skipped and not ahead:
        found = "before_first_step", 0, Level.SICK
    elif len(rate) and run.steps >= YOUNG:
        found = _of_rates(run, data, rate)
    return found if found[0] or len(rate) < FIRST else _at_first(run, data, rate)


def _at_first(run: Recording, data: Mapping[str, Any], rate: Series) -> tuple[str, int, Level]:
    """What the first steps let suspect, while the run is too young for more."""
    values, base = rate.values.astype(np.float64), _base(data)
    kind, still = str(data.get("class") or ""), bool((rate.values == rate.values[0]).all())
    squared = 0 < base <= FACTOR and abs(values[0] / base**2 - 1) < EXACT
    if kind == "LambdaLR" and run.steps < YOUNG and still and squared:
        return "tiny_factor", 0, Level.SUSPECT
    if kind in STEPPED and len(values) < JUDGED and _rushes(run, data, values):
        return "too_fast", int(rate.steps[int(np.argmax(values < values[0]))]), Level.SUSPECT
    return "", 0, Level.NOTE


def _of_rates(run: Recording, data: Mapping[str, Any], rate: Series) -> tuple[str, int, Level]:
    values = rate.values.astype(np.float64)
    top = max(float(values.max()), _base(data))
    low = values <= GONE * top
    gone = int(np.argmax(low)) if low.any() else len(values)
    early = gone < EARLY * len(values) and len(values) - gone >= STILL and bool(low[gone:].all())
    climbing = float(values[-1]) > float(values[0]) and float(values[-1]) >= float(values.max())
    kind = str(data.get("class") or "")
    found = "", 0, Level.NOTE
    if _counts_epochs(run, data):
        found = "too_slow", 0, Level.SUSPECT
    elif top <= 0 or climbing:
        pass
    elif kind == "LambdaLR" and _is_squared(data, values):
        found = "tiny_factor", 0, Level.SICK
    elif low.all():
        found = "zero", 0, Level.SICK
    elif kind == "ReduceLROnPlateau":
        wrong = data.get("mode") == "max" and data.get("metric_falls") and values[-1] < values[0]
        level = Level.SUSPECT if _falls(run) else Level.NOTE
        if wrong and early and low.any() and level > Level.NOTE and barely_learnt(run):
            level = Level.SICK
        found = ("wrong_mode", 0, level) if wrong else found
    elif low.any() and early and is_final(run) and kind not in CYCLIC:
        found = "too_fast", int(rate.steps[gone]), Level.SICK
    elif kind in STEPPED and is_final(run) and _is_spent(data, values) and not converged(run).found:
        found = "too_fast", int(rate.steps[int(np.argmax(values <= SPENT[1] * top))]), Level.SICK
    elif kind == "CosineAnnealingLR" and _turns_up(data, values):
        level = Level.SICK if _counts_batches(run, data) else Level.NOTE
        found = "turned_up", int(rate.steps[int(np.argmin(values))]), level
    elif not data.get("steps") and is_final(run) and run.steps >= 100:
        found = "never_stepped", 0, Level.SUSPECT
    return found


def _falls(run: Recording) -> bool:
    """The loss is lower than it was, evaluated or in training: a score that falls makes it rise."""
    trained = loss_values(run).values
    if len(trained) >= JUDGED and median(trained[-20:]) < median(trained[:20]) - mad(trained[:20]):
        return True
    return any(len(e.losses) > 1 and e.last < float(e.losses.values[0]) for e in evaluations(run))


def _base(data: Mapping[str, Any]) -> float:
    """The rate that the optimizer was made with; 0 when it is unknown."""
    return float((data.get("settings") or {}).get("base_lr") or 0)


def _is_squared(data: Mapping[str, Any], values: Rates) -> bool:
    """No rate ever rose above the square of the one that the optimizer was made with.

    A factor reaches 1 somewhere, or nearly so, however fast it decays; a rate given for a factor
    stays below the rate.
    """
    base = _base(data)
    return 0 < base < 0.3 and float(values.max()) <= 2 * base * base


def _is_spent(data: Mapping[str, Any], values: Rates) -> bool:
    """Stepped at every batch, it left a twentieth of the rate or less to nine tenths of the run."""
    rest = values[int(SPENT[0] * len(values)) :]
    spent = bool((rest <= SPENT[1] * values.max()).all())
    return _per_batch(data) and len(values) >= JUDGED and spent


def _rushes(run: Recording, data: Mapping[str, Any], values: Rates) -> bool:
    """Stepped at every batch, it fell, and at that pace little is left of it in five epochs.

    A decay every so many whole epochs was counted in batches on purpose.
    """
    settings = data.get("settings") or {}
    lengths = [int(f.data.get("length") or 0) for f in run.facts_of("loader")]
    gamma, size = float(settings.get("gamma") or 1), int(settings.get("step_size") or 1)
    longest = max(lengths, default=0)
    if longest < 2 or not 0 < gamma < 1 or (size > 1 and size % longest == 0):
        return False
    left = gamma ** (AHEAD * longest // size)
    return _per_batch(data) and float(values[-1]) < float(values[0]) and left <= LITTLE


def _per_batch(data: Mapping[str, Any]) -> bool:
    return int(data.get("steps") or 0) >= 0.9 * int(data.get("optimizer_steps") or 1)


def _turns_up(data: Mapping[str, Any], values: Rates) -> bool:
    """The cosine came back up twice or more: it was stepped far more often than ``T_max``."""
    period = float((data.get("settings") or {}).get("T_max") or 0)
    return period > 0 and int(data.get("steps") or 0) > 2.5 * period and float(np.ptp(values)) > 0


def _counts_batches(run: Recording, data: Mapping[str, Any]) -> bool:
    """Stepped at every batch with a period that counts epochs.

    It is shorter than an epoch, or the number of epochs that were run. Any other period, or one
    that is stepped each epoch, comes back by design.
    """
    loaders = [f.data for f in run.facts_of("loader") if f.data.get("length")]
    period = float((data.get("settings") or {}).get("T_max") or 0)
    return _per_batch(data) and (
        not loaders or any(period < d["length"] or period == d.get("iterators") for d in loaders)
    )


def _counts_epochs(run: Recording, data: Mapping[str, Any]) -> bool:
    """Set for exactly as many calls as there were optimizer steps, and called far more seldom."""
    settings = data.get("settings") or {}
    length = float(settings.get("T_max") or settings.get("total_steps") or 0)
    calls, steps = int(data.get("steps") or 0), int(data.get("optimizer_steps") or 0)
    seldom = calls >= 2 and calls <= 0.1 * length
    return is_final(run) and length >= 100 and abs(length - steps) <= 1 and seldom
