"""Dropout right before a batch norm: the variance it learns is not the one it meets later."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.architecture._norms import BatchNorm, batch_norms
from gradoctor.rules.evidence.evaluation import gap

LOW, HIGH = math.log2(0.8), math.log2(1.25)
BETWEEN = 3  # modules that may lie between the two
PASSING = ("matmul", "conv", "activation", "pool", "other")


@rule(proof="statistical", needs=("fact:mode", "norm.eval_var_ratio"))
def dropout_before_bn(run: Recording) -> Iterator[Finding]:
    """A dropout feeds a batch norm, whose inputs have another variance in evaluation.

    The order is structural; the shift is measured in evaluation forwards: below 0.8 or above 1.25
    times the running variance in the median channel. A note, and suspect where evaluation is one
    and a half times worse than training.

    Values: count, ratio (variance in evaluation over the running one), p
    """
    found = []
    for norm in batch_norms(run):
        dropout = _before(run, norm)
        if dropout is not None and not LOW <= norm.ratio <= HIGH and not math.isnan(norm.ratio):
            found.append((norm, dropout))
    if not found:
        return
    norm, dropout = max(found, key=lambda pair: abs(pair[0].ratio))
    difference = gap(run)
    harmed = difference is not None and difference.worse
    yield Finding(
        Level.SUSPECT if harmed else Level.NOTE,
        (dropout.id, *(n.site.id for n, _ in found)), 0, max(0, run.steps - 1),
        {"count": len(found), "ratio": 2.0**norm.ratio, "p": float(dropout.meta.get("p") or 0.0)},
        (Evidence("norm.eval_var_ratio", norm.ratio, LOW if norm.ratio < 0 else HIGH, "bits",
                  norm.site.id),),
    )  # fmt: skip


def _before(run: Recording, norm: BatchNorm) -> Site | None:
    """The dropout from which nothing but layers and activations lead to the norm."""
    model = norm.site.meta.get("model")
    ordered = [s for s in run.of_kind("module") if s.order >= 0 and s.meta.get("model") == model]
    place = ordered.index(norm.site)
    for site in reversed(ordered[max(0, place - BETWEEN) : place]):
        if site.meta.get("role") == "dropout":
            return site if float(site.meta.get("p") or 0.0) > 0 else None
        if site.meta.get("role") not in PASSING:
            return None
    return None
