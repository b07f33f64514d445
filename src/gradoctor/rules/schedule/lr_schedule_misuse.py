"""The learning rate does not follow the schedule that was meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from gradoctor.recording import Recording, Series
from gradoctor.records import Evidence, Fact, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.timing import is_final

CYCLIC = ("CosineAnnealingWarmRestarts", "CyclicLR", "OneCycleLR")
EARLY = 0.25
GONE = 1e-3
STILL = 10


Rates = np.ndarray[tuple[int], np.dtype[np.float64]]


@rule(proof="structural", needs=("fact:scheduler", "lr"))
def lr_schedule_misuse(run: Recording) -> Iterator[Finding]:
    """A scheduler is stepped before the optimizer, per batch instead of per epoch, or never.

    Or the rate that it gives is zero, or the square of what was meant (a LambdaLR that returns a
    rate instead of a factor). Cyclic schedules may return; a rate of zero at the end of a schedule
    is its end.

    Values: kind (before_first_step, too_fast, zero, tiny_factor, turned_up, never_stepped),
    scheduler, lr (now), first (at the start), step (where it happened)
    """
    for fact in run.facts_of("scheduler"):
        if fact.site is None:
            continue
        rate = run.series("lr", int(fact.data.get("optimizer") or -1))
        kind, step, level = _fault(run, fact, rate)
        if not kind:
            continue
        lr = float(rate.values[-1]) if len(rate) else float("nan")
        first = float(
            fact.data.get("settings", {}).get("base_lr") or rate.values[:1].max(initial=0)
        )
        yield Finding(
            level, (fact.site,), step, max(0, run.steps - 1),
            {"kind": kind, "scheduler": fact.data.get("class", ""), "lr": lr, "first": first,
             "step": step},
            (Evidence("lr", lr, first, "", int(fact.data.get("optimizer") or 0)),),
            file=fact.file, line=fact.line,
        )  # fmt: skip


def _fault(run: Recording, fact: Fact, rate: Series) -> tuple[str, int, Level]:
    data, found = fact.data, ("", 0, Level.NOTE)
    if data.get("before_first_step") and data.get("optimizer_steps", 0) > 0:
        found = "before_first_step", 0, Level.SICK
    elif len(rate) and run.steps >= 20:
        found = _of_rates(run, data, rate)
    return found


def _of_rates(run: Recording, data: Mapping[str, Any], rate: Series) -> tuple[str, int, Level]:
    values = rate.values.astype(np.float64)
    top = max(float(values.max()), float(data.get("settings", {}).get("base_lr") or 0))
    per_step = data.get("steps", 0) >= 0.9 * data.get("optimizer_steps", 1)
    low = values <= GONE * top
    gone = int(np.argmax(low)) if low.any() else len(values)
    early = gone < EARLY * len(values) and len(values) - gone >= STILL and bool(low[gone:].all())
    found = "", 0, Level.NOTE
    if top > 0 and data.get("class") == "LambdaLR" and per_step and _is_squared(data, values):
        found = "tiny_factor", 0, Level.SICK
    elif top > 0 and low.all():
        found = "zero", 0, Level.SICK
    elif low.any() and early and is_final(run) and data.get("class") not in CYCLIC:
        found = "too_fast", int(rate.steps[gone]), Level.SICK
    elif data.get("class") == "CosineAnnealingLR" and _turns_up(data, values):
        found = "turned_up", int(rate.steps[int(np.argmin(values))]), Level.SICK
    elif data.get("steps", 0) == 0 and is_final(run) and run.steps >= 100:
        found = "never_stepped", 0, Level.SUSPECT
    return found


def _is_squared(data: Mapping[str, Any], values: Rates) -> bool:
    """All rates lie near the square of the rate that the optimizer was made with."""
    base = float(data.get("settings", {}).get("base_lr") or 0)
    return 0 < base < 0.5 and bool(np.median(values) <= 2 * base * base)


def _turns_up(data: Mapping[str, Any], values: Rates) -> bool:
    """The cosine came back up twice or more: it was stepped far more often than ``T_max``."""
    period = float(data.get("settings", {}).get("T_max") or 0)
    return period > 0 and data.get("steps", 0) > 2.5 * period and float(np.ptp(values)) > 0
