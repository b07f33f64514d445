"""The first loss is far from that of a predictor that knows nothing."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError, as_pairs
from gradoctor.rules.evidence.exclusions import Exclusion, adversarial, fine_tuning
from gradoctor.rules.evidence.loss import initial_ratio, leading_function, level, recovered

HIGH, FAR, LOW = 1.5, 3.0, 0.7


@rule(proof="statistical", needs=("lossfn.value", "lossfn.baseline"))
def initial_loss_mismatch(run: Recording) -> Iterator[Finding]:
    """The loss at step 0 is over 1.5 times, or under 0.7 times, the uninformed predictor's.

    A note; suspect when it is over 3 times and the run needed more than a fifth of its steps to get
    back to the baseline. Far below the baseline: a pretrained model, or a leak.

    Values: ratio, loss, baseline, recovered
    """
    ratio = initial_ratio(run)
    site = leading_function(run)
    if site is None or not np.isfinite(ratio):
        raise UndecidedError("no-baseline")
    if LOW <= ratio <= HIGH:
        return
    if site.meta.get("reduction") == "sum":
        raise UndecidedError("sum-reduction")
    known = level(run)
    back = recovered(run)
    exclusions: tuple[Exclusion, ...] = (
        fine_tuning(run),
        adversarial(run),
        Exclusion("class-weights", _weighted(run, site.id)),
    )
    slow = back < 0 or back > max(20, run.steps // 5)
    sure = not any(e.found for e in exclusions)
    yield Finding(
        level=Level.SUSPECT if ratio > FAR and slow and sure else Level.NOTE,
        sites=(site.id,),
        values={
            "ratio": ratio,
            "loss": float(run.series("lossfn.value", site.id).values[0]),
            "baseline": known.baseline if known is not None else float("nan"),
            "recovered": back,
        },
        evidence=(Evidence("lossfn.value", ratio, HIGH if ratio > 1 else LOW, "ratio", site.id),),
        exclusions=as_pairs(exclusions),
    )


def _weighted(run: Recording, site: int) -> bool:
    return any(
        f.data.get("weighted") or f.data.get("label_smoothing")
        for f in run.facts_of("loss_call", site)
    )
