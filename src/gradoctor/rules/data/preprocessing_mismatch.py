"""Evaluation gives the model inputs on another scale than training did."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError
from gradoctor.rules.evidence.evaluation import gap

SHIFT, SCALE = 2.0, 2.0  # standard deviations; bits
NOTED_SHIFT, NOTED_SCALE = 1.0, 1.0
SAMPLES = 16


@rule(proof="numerical", needs=("input.eval_shift", "input.eval_scale"))
def preprocessing_mismatch(run: Recording) -> Iterator[Finding]:
    """The median feature's mean or spread in evaluation is far from that in training.

    A note from one standard deviation, or a factor of two, on: a class at a time, or another domain
    by intent, may look so. From two deviations or a factor of four on, and with an evaluation loss
    one and a half times that of training, it is a suspicion.

    Values: shift (standard deviations), factor, kind (shift or scale), name
    """
    seen = False
    for site in run.of_kind("input"):
        shifts = run.series("input.eval_shift", site.id).values
        scales = run.series("input.eval_scale", site.id).values
        samples = run.series("input.eval_samples", site.id).values
        if not min(len(shifts), len(scales), len(samples)) or samples[-1] < SAMPLES:
            continue
        seen = True
        shift, scale = float(shifts[-1]), float(scales[-1])
        if shift >= NOTED_SHIFT or abs(scale) >= NOTED_SCALE:
            yield _finding(run, site, shift, scale)
    if not seen:
        raise UndecidedError("no-evaluation")


def _finding(run: Recording, site: Site, shift: float, scale: float) -> Finding:
    difference = gap(run)
    grave = shift >= SHIFT or abs(scale) >= SCALE
    harmed = difference is not None and difference.worse
    call = next(iter(run.facts_of("eval_input", site.id)), None)
    return Finding(
        Level.SUSPECT if grave and harmed else Level.NOTE, (site.id,),
        call.first_step if call is not None else 0, max(0, run.steps - 1),
        {"shift": shift, "factor": 2.0**scale, "name": site.name,
         "kind": "scale" if abs(scale) / NOTED_SCALE > shift / NOTED_SHIFT else "shift"},
        (
            Evidence("input.eval_shift", shift, SHIFT, "std", site.id),
            Evidence("input.eval_scale", scale, SCALE if scale > 0 else -SCALE, "bits", site.id),
        ),
        file=call.file if call is not None else None,
        line=call.line if call is not None else None,
    )  # fmt: skip
