"""The prediction is the same whatever the input."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import (
    UndecidedError,
    as_pairs,
    grade,
    is_final,
    persistence,
    stuck,
    window,
)
from gradoctor.rules.evidence.exclusions import Exclusion, adversarial, too_early
from gradoctor.rules.evidence.harm import constant_output, settled
from gradoctor.rules.evidence.loss import level
from gradoctor.rules.evidence.windows import recent_medians

CONSTANT = 1e-2


@rule(proof="statistical", needs=("prediction.centred_ratio", "lossfn.baseline"))
def constant_output_collapse(run: Recording) -> Iterator[Finding]:
    """Predictions do not depend on the input, and the loss shows it.

    Mechanism: the variance over the batch is below 1 % of the prediction's own. Harm: the loss is
    that of the trivial predictor. Always a symptom: the cause lies upstream.

    Values: ratio, r, baseline, loss
    """
    known = level(run)
    if known is None:
        raise UndecidedError("no-baseline")
    if not constant_output(run, known):
        return
    series = run.series("prediction.centred_ratio", known.site.id)
    past = persistence(run, series, CONSTANT, side="below", clear=2 * CONSTANT)
    outcome = stuck(run)
    if not past.mechanism and not outcome.found:
        return
    exclusions: tuple[Exclusion, ...] = (too_early(run, final=is_final(run)), adversarial(run))
    grading = grade(persists=settled(run), harm=outcome.found, exclusions=exclusions)
    if grading == Level.NOTE:
        return
    value = past.value if past.mechanism else float(window(run, series).values[-1])
    yield Finding(
        level=grading,
        first_step=past.first if past.mechanism else outcome.since,
        last_step=int(series.steps[-1]),
        sites=(*_where(run), known.site.id),
        values={
            "ratio": value,
            "r": outcome.value,
            "baseline": known.baseline,
            "loss": known.baseline * (1.0 - float(known.ratio[-1])),
        },
        evidence=(
            Evidence("prediction.centred_ratio", value, CONSTANT, "ratio", known.site.id),
            Evidence("lossfn.value", outcome.value, 0.03, "r", known.site.id),
        ),
        exclusions=as_pairs(exclusions),
    )


def _where(run: Recording) -> tuple[int, ...]:
    """The first layer from which on, up to the output, nothing depends on the sample any more."""
    known = recent_medians(run, "act.centred_ratio")
    path = [s for s in run.of_kind("module") if s.order >= 0 and s.id in known]
    place: tuple[int, ...] = ()
    for site in sorted(path, key=lambda s: -s.order):
        if known[site.id] >= CONSTANT:
            break
        place = (site.id,)
    return place
