"""The loss is reduced to one number in half precision."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level, Site
from gradoctor.rules._rule import rule

DIGITS = {"bfloat16": 8, "float16": 11}
"""Bits of the significand: a sum of more than 2 to this many equal terms stops growing."""


@rule(proof="structural", needs=("loss.value",))
def half_precision_reduction(run: Recording) -> Iterator[Finding]:
    """Backward starts from a number of float16 or bfloat16 that many terms were reduced to.

    PyTorch adds up in float32 within one operation and rounds the result; sums over operations are
    rounded each time. A note: the loss that is read and compared has two or three digits.

    Values: dtype, terms, step (relative, between neighbouring numbers)
    """
    for loss in run.of_kind("loss"):
        dtype = str(loss.meta.get("dtype") or "")
        if dtype not in DIGITS or not len(run.series("loss.value", loss.id)):
            continue
        terms, most = _terms(run, loss), 2 ** DIGITS[dtype]
        if terms <= most:
            continue
        yield Finding(
            Level.NOTE, (loss.id,), 0, max(0, run.steps - 1),
            {"dtype": dtype, "terms": terms, "step": 2.0 / most},
            (Evidence("loss.terms", terms, most),), file=loss.file, line=loss.line,
        )  # fmt: skip
        return


def _terms(run: Recording, loss: Site) -> int:
    """Values that the loss is taken over: of the loss function's prediction, else the batch."""
    linked = {s.id for s in run.of_kind("lossfn") if s.meta.get("loss") == loss.id}
    shapes = [f.data.get("prediction_shape") for f in run.facts_of("loss_call") if f.site in linked]
    sizes = [prod(shape) for shape in shapes if shape]
    rows = run.series("batch.size").values
    return max(sizes, default=int(np.median(rows)) if len(rows) else 0)
