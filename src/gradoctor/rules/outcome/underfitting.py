"""Training and evaluation stand still together, both far from good."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError, no_progress, stuck
from gradoctor.rules.evidence.evaluation import gap
from gradoctor.rules.evidence.exclusions import adversarial
from gradoctor.rules.evidence.loss import level
from gradoctor.rules.evidence.probes import probed
from gradoctor.rules.evidence.robust import median

STEPS = 500
HIGH, LEARNT = 0.5, 0.1  # of the baseline
NOISE = 2.0


@rule(proof="statistical", needs=("loss.value", "eval.loss", "grad.snr"))
def underfitting(run: Recording) -> Iterator[Finding]:
    """No progress any more, no gap to evaluation, gradients that are noise: a note.

    The network has learnt something (more than a tenth of the baseline, less than half) and cannot
    learn more: too small, too strongly regularised, or the task has no more to give. What cannot
    even learn eight samples by heart (probe overfit) has another illness.

    Values: r (share of the baseline that was gained), evaluated, trained
    """
    known, difference = level(run), gap(run)
    if known is None or difference is None:
        raise UndecidedError("no-evaluation")
    if run.steps < STEPS:
        raise UndecidedError(f"too-short:{run.steps}/{STEPS}")
    if stuck(run).found or adversarial(run).found or not no_progress(run).found:
        return
    trial = probed(run, "overfit")
    if trial is not None and trial.verdict == "stuck":
        return
    noise = median(run.series("grad.snr").values[-10:])
    level_enough = 0.8 < difference.ratio < 1.2
    if LEARNT < known.now < HIGH and level_enough and noise < NOISE:
        yield Finding(
            Level.NOTE, (known.site.id,), 0, max(0, run.steps - 1),
            {"r": float(known.now), "evaluated": difference.evaluated,
             "trained": difference.trained},
            (Evidence("lossfn.value", float(known.now), HIGH, "r", known.site.id),),
        )  # fmt: skip
