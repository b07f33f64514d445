"""When a run may be judged: start step, learning rate, whether it has ended."""

from __future__ import annotations

import numpy as np

from gradoctor.recording import EMPTY_SERIES, Recording, Series
from gradoctor.records import Site

EARLIEST = 20  # no statistical verdict before this step, whatever the optimizer
YOUNG = 20  # steps: before, a proof that still waits for its harm is worth a suspicion


def is_final(run: Recording) -> bool:
    """True when the run has ended, so that its outcome may be judged."""
    return bool(run.meta.get("final", True))


def optimizers(run: Recording) -> tuple[Site, ...]:
    """Optimizers that stepped; all of them where that was not recorded."""
    sites = run.of_kind("optimizer")
    steps = {f.site: f.data.get("steps", 1) for f in run.facts_of("optimizer")}
    return tuple(s for s in sites if steps.get(s.id, 1))


def is_adaptive(run: Recording) -> bool:
    """True when an Adam-like optimizer steps: it hides the gradient's scale."""
    return any(bool(s.meta.get("adaptive")) for s in optimizers(run))


def epsilon(run: Recording) -> float:
    """The largest epsilon of the adaptive optimizers; 1e-8 where none is known."""
    known = [s.meta.get("eps") for s in optimizers(run) if s.meta.get("adaptive")]
    return max((float(e) for e in known if isinstance(e, int | float)), default=1e-8)


def learning_rate(run: Recording) -> Series:
    """The learning rate of the first optimizer that stepped."""
    for site in optimizers(run):
        series = run.series("lr", site.id)
        if len(series):
            return series
    return EMPTY_SERIES


def warm_up_end(run: Recording) -> int:
    """First step at which the learning rate reached 99 % of its peak, if it rose to it; else 0."""
    lr = learning_rate(run)
    if len(lr) < 2:
        return 0
    peak = float(np.max(lr.values))
    if peak <= 0 or float(lr.values[0]) >= 0.95 * peak:
        return 0
    return int(lr.steps[int(np.argmax(lr.values >= 0.99 * peak))])


def _settling(run: Recording) -> float:
    """Steps until Adam's second moment has forgotten its start: 0.3 / (1 - beta2)."""
    longest = 0.0
    for site in optimizers(run):
        betas = site.meta.get("betas")
        if isinstance(betas, list | tuple) and len(betas) > 1 and betas[1] < 1:
            longest = max(longest, 0.3 / (1.0 - float(betas[1])))
    return longest


def start_step(run: Recording) -> int:
    """First step whose statistics may support a statistical verdict (s0).

    An ended run that was looked at for less than twice Adam's settling time is judged on the second
    half of that: waiting longer would leave every short run without a verdict. What is too early in
    it is caught by the trend test (a statistic on its way back to health does not persist) and by
    harm.
    """

    def make(run: Recording) -> int:
        settling = _settling(run)
        if is_final(run):
            seen = looks(run)
            settling = min(settling, (int(seen[-1]) + 1 if len(seen) else run.steps) / 2)
        return int(max(EARLIEST, warm_up_end(run), np.ceil(settling)))

    return run.derive("start_step", make)


def looks(run: Recording) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """The steps of the full looks, rising."""

    def make(run: Recording) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
        for name in ("grad.rms", "actgrad.rms", "act.rms", "weight.rms", "grad.norm"):
            if name in run.statistics and len(run.table(name).steps):
                return run.table(name).steps
        return np.empty(0, np.int64)

    return run.derive("looks", make)


def looks_between(run: Recording, first: int, last: int) -> int:
    """How many full looks lie after step ``first`` up to step ``last``."""
    steps = looks(run)
    return int(np.searchsorted(steps, last, "right") - np.searchsorted(steps, first, "right"))


def back(run: Recording, step: int, count: int) -> int:
    """The step ``count`` looks before ``step``."""
    steps = looks(run)
    at = int(np.searchsorted(steps, step, "right")) - 1 - count
    return int(steps[max(at, 0)]) if len(steps) else step
