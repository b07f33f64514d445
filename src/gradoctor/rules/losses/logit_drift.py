"""All logits drift away together."""

from __future__ import annotations

from collections.abc import Iterator
from math import log

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import recent_medians
from gradoctor.rules.evidence.robust import median, theil_sen
from gradoctor.rules.losses._calls import calls, finding

FAR = 10.0
COMMON = 0.9  # share of the logits' size that all classes have in common
STEADY = 0.3
FEWEST = 20


@rule(proof="statistical", needs=("lossfn.logz",))
def logit_drift(run: Recording) -> Iterator[Finding]:
    """The softmax's denominator leaves what K even classes have by ten nats, and goes on.

    Only a shift that all classes share: logits that grow because the network is sure of its answer
    have no such mean. A note: in float32 the shift has no effect; in 16 bits it costs precision.

    Values: logz, mean (of the logits), slope (nats in a thousand steps)
    """
    for site, fact in calls(run, "cross_entropy"):
        series = run.series("lossfn.logz", site.id)
        classes = int(fact.data.get("classes") or 0)
        mean = recent_medians(run, "prediction.mean").get(site.id)
        size = recent_medians(run, "prediction.rms").get(site.id)
        if len(series) < FEWEST or classes < 2 or mean is None or size is None:
            continue
        tail = slice(-max(FEWEST, len(series) // 2), None)
        value = median(series.values[-FEWEST:])
        line = theil_sen(series.steps[tail].astype(np.float64), series.values[tail])
        away = value - log(classes)
        if abs(away) < FAR or abs(mean) < COMMON * size:
            continue
        if line.r2 < STEADY or line.slope * away <= 0:
            continue
        values = {"logz": value, "mean": mean, "slope": 1000 * line.slope}
        yield finding(run, site, Level.NOTE, values, Evidence("lossfn.logz", abs(away), FAR))
