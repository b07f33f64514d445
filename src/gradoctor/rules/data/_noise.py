"""How much of a batch's gradient is the noise of its samples."""

from __future__ import annotations

from gradoctor.recording import Recording
from gradoctor.rules.evidence import persistence
from gradoctor.rules.evidence.robust import median
from gradoctor.rules.evidence.timing import EARLIEST
from gradoctor.rules.evidence.windows import one_batch

WINDOW = 50  # gradients that the signal-to-noise ratio is taken over


def noise_over_signal(snr: float) -> float:
    """E|noise|^2 / |gradient|^2 of one batch, from sqrt(N) |mean g| / rms|g| over N batches.

    With independent noise the squared ratio is N (1 + r/N) / (1 + r).
    """
    share = min(1.0, snr**2 / WINDOW)
    return (1.0 - share) / max(share - 1.0 / WINDOW, 1e-9)


def steady_snr(run: Recording, bar: float, side: str) -> float | None:
    """The median of the ratio where it stays on one side of a bar; None where it does not.

    Only where many batches were seen that differ.
    """
    series = run.series("grad.snr")
    if len(series) < WINDOW + EARLIEST or one_batch(run):
        return None
    past = (
        persistence(run, series, bar, side="above")
        if side == "above"
        else persistence(run, series, bar, side="below")
    )
    return past.value if past.holds else None


def batch_size(run: Recording) -> float:
    """Samples in a batch, usually; NaN where unknown."""
    return median(run.series("batch.size").values)
