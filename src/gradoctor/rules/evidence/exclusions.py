"""Benign contexts, numbered as in the catalogue: what looks like a disease and is not.

Each detector looks at the whole recording and says whether it was found, and why it thinks so.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Site
from gradoctor.rules.evidence.loss import leading_function, level, loss_values
from gradoctor.rules.evidence.robust import median
from gradoctor.rules.evidence.timing import learning_rate, optimizers, warm_up_end
from gradoctor.rules.evidence.windows import recent_medians

DRIFT = 0.5  # of the targets' mean, in their standard deviations
GROWTH = 2.0  # of that deviation


class Exclusion(NamedTuple):
    """A benign context that was looked for."""

    name: str
    found: bool
    why: str = ""


def found(exclusions: Iterable[Exclusion]) -> bool:
    """True when any of them was found."""
    return any(e.found for e in exclusions)


def as_pairs(exclusions: Iterable[Exclusion]) -> tuple[tuple[str, bool], ...]:
    """The form in which a finding carries them."""
    return tuple((e.name, e.found) for e in exclusions)


def sparsity_without_death(run: Recording, site: int) -> Exclusion:
    """B1: many zeros in each batch, but hardly a unit that is always zero."""
    zeros = recent_medians(run, "act.zero_fraction").get(site, 0.0)
    dead = recent_medians(run, "act.dead_fraction").get(site, 1.0)
    return Exclusion("relu-sparsity", zeros > 0.4 and dead < 0.1, f"dead {dead:.2f}")


def zero_init_escape(run: Recording) -> Exclusion:
    """B2: a weight that starts at 0 with a gradient of its own (LoRA B, gamma = 0, zero conv)."""
    for fact in run.facts_of("init"):
        zero = fact.data.get("zero") or fact.data.get("constant")
        if zero and (fact.data.get("first_grad_absmax") or 0.0) > 0.0:
            name = run.sites[fact.site].name if fact.site is not None else ""
            return Exclusion("zero-initialised-branch", True, name)
    return Exclusion("zero-initialised-branch", False)


def is_embedding(run: Recording, site: Site) -> Exclusion:
    """B4: only the rows that a batch touches get a gradient."""
    kind = site.meta.get("role")
    if kind in ("bias", "gain") and site.meta.get("module") in run.sites:
        kind = run.sites[site.meta["module"]].meta.get("role")
    return Exclusion("embedding", kind == "embedding")


def warming_up(run: Recording) -> Exclusion:
    """B6: the learning rate has not reached its peak when the run ends."""
    lr = learning_rate(run)
    rising = len(lr) > 1 and warm_up_end(run) >= 0.9 * int(lr.steps[-1]) > 0
    return Exclusion("warm-up", rising)


def schedule_tail(run: Recording) -> Exclusion:
    """B6: the learning rate has fallen below 5 % of its peak."""
    lr = learning_rate(run)
    if not len(lr):
        return Exclusion("schedule-tail", False)
    peak = float(np.max(lr.values))
    return Exclusion("schedule-tail", peak > 0 and float(lr.values[-1]) < 0.05 * peak)


def converged(run: Recording) -> Exclusion:
    """B7: the loss is below half its baseline, or a twentieth of where it began."""
    known = level(run)
    if known is not None:
        done = known.now > 0.5
        return Exclusion("converged", done, f"r {known.now:.2f}")
    losses = loss_values(run).values
    if len(losses) < 20:
        return Exclusion("converged", False)
    first, last = median(losses[:5]), median(losses[-max(5, len(losses) // 20) :])
    return Exclusion("converged", first > 0 and abs(last) < 0.05 * first)


def scaler_skips(run: Recording) -> Exclusion:
    """B8: the GradScaler skipped a step, which it does while it finds its scale."""
    skipped = run.series("scaler.skipped").values
    return Exclusion("scaler-skips", bool(len(skipped)) and 0 < float(np.nansum(skipped)) <= 20)


def adversarial(run: Recording) -> Exclusion:
    """B10: several losses play against each other, or the loss is about the network's own samples.

    Either way no single level says how training fares.
    """
    return run.derive("adversarial", _adversarial)


def _adversarial(run: Recording) -> Exclusion:
    if _judges_own_samples(run):
        return Exclusion("own-samples", True, "the loss is about samples of the network's own")
    counts = [(s, len(run.series("loss.value", s.id))) for s in run.of_kind("loss")]
    most = max((n for _, n in counts), default=0)
    active = [s for s, n in counts if n >= max(2, most // 5)]
    if len(active) < 2:
        return Exclusion("several-losses", False)
    owners = {tuple(s.meta.get("optimizers") or ()) for s in active}
    several = len(owners) > 1 or len(optimizers(run)) > 1
    why = "adversarial" if several else "several losses on one optimizer"
    return Exclusion("several-losses", True, why)


def _judges_own_samples(run: Recording) -> bool:
    """The script draws from a prediction, and its loss is not a known function alone.

    A policy gradient: its loss grows with the returns, and may stay level while they grow. A
    language model that is sampled for show is trained by its cross entropy.
    """
    if not run.facts_of("draw"):
        return False
    site = leading_function(run)
    calls = () if site is None else run.facts_of("loss_call", site.id)
    return not any(f.data.get("factor") for f in calls)


def moving_targets(run: Recording) -> Exclusion:
    """B10: the targets of a regression are another network's, or this one's of a moment ago.

    Data have one distribution from the first third of the run to the last; what is learnt from
    its own predictions (Q-learning, distillation of itself) has not, and its loss has no floor
    against which a level or a fall could be held.
    """
    return run.derive("moving_targets", _moving_targets)


def _moving_targets(run: Recording) -> Exclusion:
    known = level(run)
    site = known.site.id if known is not None and known.regression else -1
    mean, spread = (run.series(f"target.{n}", site).values for n in ("mean", "std"))
    third = min(len(mean), len(spread)) // 3
    if third < 10:
        return Exclusion("moving-targets", False)
    first, last = mean[:third], mean[-third:]
    begin, end = median(spread[:third]), median(spread[-third:])
    # batches of one have no spread of their own: theirs is that of the means
    noise = float(np.hypot(median(spread), min(np.std(first), np.std(last))))
    drift = abs(median(last) - median(first)) / noise if noise > 0 else 0.0
    growth = max(begin, end) / min(begin, end) if min(begin, end) > 0 else 1.0
    moved = drift > DRIFT or growth > GROWTH
    return Exclusion("moving-targets", moved, f"drift {drift:.2g}, spread x {growth:.2g}")


def fine_tuning(run: Recording) -> Exclusion:
    """B11: the loss starts well below what a model without knowledge has."""
    site = leading_function(run)
    if site is None:
        return Exclusion("fine-tuning", False)
    values, base = run.series("lossfn.value", site.id), run.series("lossfn.baseline", site.id)
    if not len(values) or not len(base) or float(base.values[-1]) <= 0:
        return Exclusion("fine-tuning", False)
    start = median(values.values[:3]) / float(base.values[-1])
    return Exclusion("fine-tuning", bool(start < 0.7), f"first loss {start:.2f} of the baseline")


def accumulating(run: Recording) -> Exclusion:
    """B12: the same number of backward passes, more than one, before each step."""
    counts = run.series("backward.count").values
    steady = len(counts) > 2 and median(counts) > 1 and float(np.mean(counts == counts[1])) > 0.8
    return Exclusion("gradient-accumulation", steady)


def too_early(run: Recording, *, final: bool) -> Exclusion:
    """B15: a hard task may sit at the prior for its first steps.

    An ended run is judged from 100 steps on: there will be no more evidence, and a verdict needs
    the mechanism besides.
    """
    needed = 100.0 if final else 200.0
    epochs = [int(f.data.get("length") or 0) for f in run.facts_of("loader")]
    needed = max(needed, min(max(epochs, default=0), 1000))
    planned = run.meta.get("planned_steps")
    if isinstance(planned, int) and not final:
        needed = max(needed, 0.05 * planned)
    return Exclusion("too-early", run.steps < needed, f"{run.steps} of {needed:.0f} steps")
