"""A weight's gradient is bitwise zero, batch after batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError, as_pairs, grade, start_step, worst_outcome
from gradoctor.rules.evidence.depth import columns
from gradoctor.rules.evidence.exclusions import converged, is_embedding, zero_init_escape
from gradoctor.rules.evidence.persistence import FEWEST

BATCHES = 3


@rule(proof="statistical", needs=("grad.absmax",))
def zero_gradient_exact(run: Recording) -> Iterator[Finding]:
    """A weight receives a gradient that is exactly zero everywhere.

    Mechanism: the largest magnitude is 0 at every look after the start step. Harm: the run diverged
    or is stuck. By itself a zero gradient may be meant: an expert without tokens, a task without a
    batch, a loss term of weight 0, a hinge that is satisfied, a loss that has reached 0.

    Values: count, names, looks, share
    """
    weights = tuple(s for s in run.of_kind("parameter") if _may_judge(run, s))
    table = run.table("grad.absmax")
    values = columns(run, "grad.absmax", tuple(s.id for s in weights))
    late = values[np.searchsorted(table.steps, start_step(run)) :]
    seen = ~np.isnan(late)
    looks = seen.sum(axis=0)
    if not len(looks) or looks.max() < BATCHES:
        raise UndecidedError(f"too-short:{0 if not len(looks) else looks.max()}/{BATCHES}")
    zero = (looks >= BATCHES) & (np.nanmax(np.where(seen, late, 0.0), axis=0) == 0.0)
    ill = [s for s, z in zip(weights, zero, strict=True) if z]
    if not ill:
        return
    outcome = worst_outcome(run)
    exclusions = (converged(run), zero_init_escape(run))
    count = int(looks[zero].min())
    yield Finding(
        level=grade(persists=count >= FEWEST, harm=outcome.found, exclusions=exclusions),
        sites=tuple(s.id for s in ill),
        first_step=_since(table.steps, values[:, zero]),
        last_step=int(table.steps[-1]),
        values={
            "count": len(ill),
            "names": ", ".join(s.name for s in ill[:5]),
            "looks": count,
            "share": len(ill) / len(weights),
        },
        evidence=(Evidence("grad.absmax", 0.0, 0.0, "", ill[0].id),),
        exclusions=as_pairs(exclusions),
    )


def _may_judge(run: Recording, site: Site) -> bool:
    """Matrices only: a bias may cancel, an embedding's rows may not have come up."""
    return len(site.meta.get("shape") or ()) > 1 and not is_embedding(run, site).found


def _since(steps: np.ndarray, values: np.ndarray) -> int:
    """The step after the last one at which any of them was not zero."""
    alive = np.flatnonzero((np.nan_to_num(values) > 0).any(axis=1))
    if not len(alive):
        return int(steps[0])
    return int(steps[min(int(alive[-1]) + 1, len(steps) - 1)])
