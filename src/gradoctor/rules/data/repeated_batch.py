"""Every step trains on the same batch, or a batch holds the same samples several times."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence.timing import YOUNG

STEPS = 10
FEWEST = 3  # steps that no accident repeats: a suspicion, since a test may overfit one batch
HALF = 0.5
FEATURES = 16
"""Numbers of a sample from which on two samples are not equal by chance."""


@rule(proof="structural", needs=("fact:loader", "input.hash"))
def repeated_batch(run: Recording) -> Iterator[Finding]:
    """The same batch comes again and again because the loader is started anew for each step.

    Training on all data at once, or on one batch by intent, takes the batch from elsewhere or
    starts the loader once: neither is judged. A loader that shuffles gives other batches: then
    nothing repeats. Three steps are a suspicion, which a check that overfits one batch for a moment
    may raise, ten a proof. A note where more than half of a batch's rows equal another row, and
    rows are too long for that to be chance.

    Values: kind (batch or within), steps (with the same batch), batches (the loader has), iterators
        (times it was started), share (of rows that equal another)
    """
    yield from _within(run)
    same = _longest_run(run)
    rows = run.series("batch.size").values
    for fact in run.facts_of("loader"):
        length, started = fact.data.get("length") or 0, int(fact.data.get("iterators") or 0)
        again = started >= FEWEST and int(fact.data.get("max_drawn") or 0) <= 1 and length > 1
        size = fact.data.get("batch_size")
        # a loader that is peeked into once an epoch is not the one that feeds the training
        fed = not size or not len(rows) or float(np.median(rows)) == size
        if not again or not fed or started < 0.5 * run.steps:
            continue
        shuffled = bool(fact.data.get("shuffle"))
        repeats = same >= (FEWEST if run.steps < YOUNG else STEPS)
        if not repeats and not (shuffled and started >= STEPS):
            continue
        level = Level.SICK if same >= STEPS else Level.SUSPECT if repeats else Level.NOTE
        yield Finding(
            level, (), 0, max(0, run.steps - 1),
            {"kind": "batch", "steps": same, "batches": length, "iterators": started, "share": 0.0},
            (Evidence("input.hash", same, FEWEST, "steps"),), file=fact.file, line=fact.line,
        )  # fmt: skip


def _within(run: Recording) -> Iterator[Finding]:
    for site in run.of_kind("input"):
        values = run.series("input.duplicates", site.id).values
        shape = site.meta.get("shape") or ()
        if len(values) < STEPS or site.meta.get("kind") != "float" or prod(shape[1:]) < FEATURES:
            continue
        share = float(np.median(values))
        if share > HALF:
            yield Finding(
                Level.NOTE, (site.id,), 0, max(0, run.steps - 1),
                {"kind": "within", "steps": 0, "batches": 0, "iterators": 0, "share": share},
                (Evidence("input.duplicates", share, HALF, "fraction", site.id),),
            )  # fmt: skip
            return


def _longest_run(run: Recording) -> int:
    """Most looks in a row at which every input had the same hash: a mask alone may never change."""
    lengths = []
    for site in run.of_kind("input"):
        values = run.series("input.hash", site.id).values
        if len(values) < 2:
            continue
        breaks = np.flatnonzero(np.diff(values) != 0)
        edges = np.concatenate([[-1], breaks, [len(values) - 1]])
        lengths.append(int(np.diff(edges).max()))
    return min(lengths, default=0)
