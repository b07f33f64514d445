"""Batches are so small that their gradients are little but noise."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.data._noise import batch_size, noise_over_signal, steady_snr
from gradoctor.rules.evidence import no_progress, stuck
from gradoctor.rules.evidence.exclusions import adversarial, schedule_tail
from gradoctor.rules.evidence.loss import level

SMALL = 16  # samples
DROWNED = 2.3  # signal over noise of 50 batches: the noise is ten times the gradient
STEPS = 500


@rule(proof="statistical", needs=("grad.snr", "batch.size", "lossfn.baseline"))
def batch_too_small(run: Recording) -> Iterator[Finding]:
    """The loss stands still amid noise, and batches are of a few samples.

    The noise scale of the gradient is over ten times the batch. By itself that is how most runs
    end, so it is said only of small batches, where the loss has stopped falling far from its goal
    although the rate has not been lowered. Always a note: fewer samples in a step may be wanted.

    Values: size, noise
    """
    size, known = batch_size(run), level(run)
    if not size <= SMALL or known is None or not 0.03 < known.now < 0.5 or run.steps < STEPS:
        return
    if not no_progress(run).found or stuck(run).found or schedule_tail(run).found:
        return
    snr = steady_snr(run, DROWNED, "below")
    if snr is None or adversarial(run).found:
        return
    yield Finding(
        level=Level.NOTE,
        last_step=run.steps - 1,
        values={"size": size, "noise": noise_over_signal(snr)},
        evidence=(Evidence("grad.snr", snr, DROWNED, "ratio"),),
    )
