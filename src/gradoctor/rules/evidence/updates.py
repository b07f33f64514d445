"""How far one step moves the weights."""

from __future__ import annotations

import numpy as np

from gradoctor.recording import Recording, Series
from gradoctor.records import Site
from gradoctor.rules.evidence.depth import columns
from gradoctor.rules.evidence.exclusions import is_embedding
from gradoctor.rules.evidence.robust import row_medians

LARGE = 0.1  # relative update of a weight in one step


def matrices(run: Recording) -> tuple[int, ...]:
    """Matrices that did not start at 0: relative to nothing any update is large."""
    zero = {f.site for f in run.facts_of("init") if f.data.get("zero")}
    return tuple(
        s.id
        for s in run.of_kind("parameter")
        if len(s.meta.get("shape") or ()) > 1
        and int(s.meta.get("numel", 64)) >= 64
        and s.id not in zero
        and not is_embedding(run, s).found
    )


def bursts(run: Recording) -> Series:
    """Looks at which the median relative update (so half of the weights) is past ``LARGE``."""

    def make(run: Recording) -> Series:
        values = columns(run, "update.ratio", matrices(run))
        rows = np.flatnonzero((~np.isnan(values)).sum(axis=1) > 0)
        if not len(rows):
            return Series(np.empty(0, np.int64), np.empty(0, np.float32))
        middle = row_medians(values[rows])
        past = middle > LARGE
        return Series(run.table("update.ratio").steps[rows][past], middle[past])

    return run.derive("bursts", make)


def momentum(optimizer: Site) -> float:
    """The share of the last direction that a step keeps: SGD's momentum, or Adam's beta1."""
    betas = optimizer.meta.get("betas")
    kept = betas[0] if isinstance(betas, list | tuple) and betas else optimizer.meta.get("momentum")
    return min(max(float(kept or 0.0), 0.0), 0.999)
