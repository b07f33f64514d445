"""The loss is summed over the batch, or divided by its size twice."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import recent_medians, worst_outcome
from gradoctor.rules.evidence.exclusions import accumulating, adversarial
from gradoctor.rules.evidence.loss import leading_function, level
from gradoctor.rules.evidence.robust import median
from gradoctor.rules.evidence.timing import YOUNG, is_adaptive, learning_rate, optimizers
from gradoctor.rules.losses._calls import BATCHES, calls, finding

NEAR = 0.05
FEWEST = 8  # terms from which on the factor is no chance
HOT = 1.0  # learning rate times the terms, over 1 - momentum: far beyond any usual rate
COLD = 1e-3  # the rate that is left when the mean is divided by the batch once more
LEARNT = 0.3
RISEN = 1.2
PATIENCE = 200


@rule(proof="numerical", needs=("lossfn.coefficient", "batch.size"))
def reduction_mistake(run: Recording) -> Iterator[Finding]:
    """The root of backward is N times the mean loss, N the terms of the batch, or 1/B of it.

    Adam-like optimizers do not mind: nothing is said of them. For SGD the factor multiplies the
    rate. Summed: sick when the run diverged or is stuck and the rate times N is beyond any usual
    one, suspect when with such a rate the loss rises from its first steps on. Divided twice: sick
    when after 200 steps the loss is still close to its baseline and the rate that is left is below
    a thousandth. Without harm it is a choice.

    Values: kind (summed or divided), factor, terms, rate (learning rate times the factor)
    """
    site = leading_function(run)
    if site is None or is_adaptive(run) or adversarial(run).found:
        return
    rate = _rate(run)
    for called, fact in calls(run, str(site.meta.get("function"))):
        weights = run.series("lossfn.coefficient", called.id).values
        if called.id != site.id or len(weights) < BATCHES:
            continue
        factor, terms = median(weights), _terms(run, called, fact)
        summed = [n for n in terms if n >= FEWEST and abs(factor / n - 1) < NEAR]
        divided = [n for n in terms if n >= FEWEST and abs(factor * n - 1) < NEAR]
        if summed and rate * factor > HOT:
            found = Level.SICK if worst_outcome(run).found else _overshoots(run, site)
            if found > Level.NOTE:
                yield _finding(run, site, "summed", factor, summed[0], rate, found)
        elif divided and rate * factor < COLD and _slow(run) and not accumulating(run).found:
            yield _finding(run, site, "divided", factor, divided[0], rate, Level.SICK)


def _terms(run: Recording, site: Site, fact: Fact) -> tuple[int, ...]:
    """What the terms of a batch may be counted by: its elements, its rows."""
    shape = [int(n) for n in fact.data.get("target_shape") or ()]
    rows = run.series("batch.size").values
    counts = {int(np.prod(shape)) if shape else 0, int(median(rows)) if len(rows) else 0}
    seen = recent_medians(run, "target.ignored").get(site.id, 0.0)
    return tuple(sorted(int(n * (1 - seen)) for n in counts))


def _rate(run: Recording) -> float:
    """The largest learning rate, what momentum adds to it included."""
    lr = learning_rate(run).values
    momentum = max((float(o.meta.get("momentum") or 0.0) for o in optimizers(run)), default=0.0)
    return float(np.max(lr)) / max(1 - momentum, 0.01) if len(lr) else 0.0


def _slow(run: Recording) -> bool:
    known = level(run)
    return known is not None and run.steps >= PATIENCE and known.now < LEARNT


def _overshoots(run: Recording, site: Site) -> Level:
    """In its first steps, the loss of different batches rose above a guess's and its own start."""
    values = run.series("lossfn.value", site.id).values
    base = run.series("lossfn.baseline", site.id).values
    if run.steps >= YOUNG or len(values) < 2 * BATCHES or not len(base):
        return Level.NOTE
    worse = median(values[-BATCHES:]) > RISEN * max(float(values[0]), float(base[-1]))
    return Level.SUSPECT if worse else Level.NOTE


def _finding(
    run: Recording, site: Site, kind: str, factor: float, terms: int, rate: float, level: Level
) -> Finding:
    values = {"kind": kind, "factor": factor, "terms": terms, "rate": rate * factor}
    limit = float(terms) if kind == "summed" else 1.0 / terms
    return finding(run, site, level, values, Evidence("lossfn.coefficient", factor, limit))
