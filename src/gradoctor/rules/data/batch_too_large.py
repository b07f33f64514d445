"""Batches are larger than their gradient needs."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.data._noise import batch_size, noise_over_signal, steady_snr
from gradoctor.rules.evidence import stuck
from gradoctor.rules.evidence.exclusions import accumulating, adversarial

LARGE = 128  # samples
SURE = 6.74  # signal over noise of 50 batches: the noise is a tenth of the gradient
STEPS = 300


@rule(proof="statistical", needs=("grad.snr", "batch.size"))
def batch_too_large(run: Recording) -> Iterator[Finding]:
    """Gradients of different batches agree: a tenth of the samples would give the same step.

    The noise scale of a batch's gradient is below a tenth of the batch. Always a note: it wastes
    time, and nothing else. Not said where nothing is learnt, since dead networks have sure
    gradients, too.

    Values: size, noise, enough
    """
    size = batch_size(run)
    if not size >= LARGE or run.steps < STEPS or stuck(run).found:
        return
    snr = steady_snr(run, SURE, "above")
    if snr is None or adversarial(run).found or accumulating(run).found:
        return
    noise = noise_over_signal(snr)
    yield Finding(
        level=Level.NOTE,
        last_step=run.steps - 1,
        values={"size": size, "noise": noise, "enough": max(8.0, 10.0 * noise * size)},
        evidence=(Evidence("grad.snr", snr, SURE, "ratio"),),
    )
