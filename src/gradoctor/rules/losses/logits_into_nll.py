"""The negative log-likelihood is given something that is no log-probability."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.losses._calls import BATCHES, calls, finding


@rule(proof="structural", needs=("fact:loss_call", "lossfn.logprob"))
def logits_into_nll(run: Recording) -> Iterator[Finding]:
    """No row that ``nll_loss`` got was a row of log-probabilities, in any batch.

    Sick when its loss was below 0 or its input cannot be one: nothing holds such a loss. Logs of
    probabilities that do not sum to 1 (a logsigmoid for each class) are a suspicion.

    Values: kind (logits or probabilities), negative (times the loss was below 0)
    """
    for site, fact in calls(run, "nll_loss"):
        rows = run.series("lossfn.logprob", site.id).values
        if len(rows) < BATCHES or np.any(rows > 0.01):
            continue
        unit = run.series("lossfn.unit", site.id).values
        kind = "probabilities" if len(unit) and np.all(unit >= 1) else "logits"
        bounded = fact.data.get("producer") in ("log_sigmoid", "log") and kind == "logits"
        level = Level.SUSPECT if bounded and not fact.data.get("negative") else Level.SICK
        yield finding(
            run, site, level, {"kind": kind, "negative": fact.data.get("negative", 0)},
            Evidence("lossfn.logprob", float(rows.max()), 1.0, "fraction"),
        )  # fmt: skip
