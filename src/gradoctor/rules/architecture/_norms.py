"""Batch norms of a run: how they ran, and how far their running statistics are from the data's."""

from __future__ import annotations

from math import sqrt
from typing import NamedTuple

from gradoctor.recording import Recording
from gradoctor.records import Fact, Site
from gradoctor.rules.evidence.robust import median
from gradoctor.rules.evidence.timing import start_step
from gradoctor.rules.evidence.windows import recent_medians

PASSES = 3  # evaluations, and looks, that are the least
MEAN, VARIANCE = 0.5, 1.0  # standard deviations and bits that training may be off by
EVALUATED = 2.0  # evaluation may be off by so many times as much: its first batches may be special


class BatchNorm(NamedTuple):
    """One batch norm.

    Attributes:
        samples: values that each statistic is taken over in training, usually.
        trained: excess of the gap in training over chance, as a share of its bound (1: ill).
        evaluated: likewise in evaluation.
        mean_gap, var_gap: the larger of the two places, in standard deviations and bits.
        ratio: log2 of the variance in evaluation over the running one; NaN where not seen.
    """

    site: Site
    fact: Fact
    samples: int
    trained: float
    evaluated: float
    mean_gap: float
    var_gap: float
    ratio: float

    @property
    def off(self) -> float:
        """The worse of both; 1 and more is a mismatch."""
        return max(self.trained, self.evaluated)


def batch_norms(run: Recording) -> tuple[BatchNorm, ...]:
    """The batch norms that ran in train mode, in order of execution."""
    return run.derive("batch_norms", _batch_norms)


def _batch_norms(run: Recording) -> tuple[BatchNorm, ...]:
    means, variances = (recent_medians(run, f"norm.{n}_gap") for n in ("mean", "var"))
    found = []
    for site in run.of_kind("module"):
        fact = next(iter(run.facts_of("mode", site.id)), None)
        samples = int(fact.data.get("usual_samples") or 0) if fact is not None else 0
        if fact is None or samples < 1:
            continue
        trained = means.get(site.id, 0.0), variances.get(site.id, 0.0)
        evaluated = _late(run, "norm.eval_mean_gap", site), _late(run, "norm.eval_var_gap", site)
        found.append(
            BatchNorm(
                site, fact, samples, _excess(*trained, samples, 1.0),
                _excess(*evaluated, samples, EVALUATED), max(trained[0], evaluated[0]),
                max(trained[1], evaluated[1]),
                _late(run, "norm.eval_var_ratio", site, missing=float("nan")),
            )
        )  # fmt: skip
    return tuple(found)


def _excess(mean: float, variance: float, samples: int, slack: float) -> float:
    """How far gaps exceed those of chance, as a share of what is bearable."""
    chance = 1.0 / sqrt(max(samples, 1))
    return max((mean - chance) / (slack * MEAN), (variance - 2.0 * chance) / (slack * VARIANCE))


def _late(run: Recording, statistic: str, site: Site, missing: float = 0.0) -> float:
    """Median of the last evaluations; ``missing`` where there were too few."""
    seen = run.series(statistic, site.id).after(start_step(run)).values
    return median(seen[-PASSES:]) if len(seen) >= PASSES else missing
