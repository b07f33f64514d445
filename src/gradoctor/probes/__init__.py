"""Questions that only another run answers: which trials they need, and what their courses say.

No torch: numbers in, an answer out.
"""

from __future__ import annotations

from gradoctor.probes import (
    causal,
    init,
    learning_rate,
    overfit,
    plasticity,
    precision,
    sharpness,
    train_eval,
)
from gradoctor.probes._records import Answer as Answer
from gradoctor.probes._records import Arm as Arm
from gradoctor.probes._records import Probe as Probe
from gradoctor.probes.asking import ask as ask
from gradoctor.probes.deciding import DECIDES as DECIDES
from gradoctor.probes.deciding import command as command
from gradoctor.probes.deciding import target_of as target_of
from gradoctor.probes.deciding import to_ask as to_ask

PROBES: dict[str, Probe] = {
    "overfit": overfit.PROBE,
    "train-eval": train_eval.PROBE,
    "learning-rate": learning_rate.PROBE,
    "precision": precision.PROBE,
    "causal": causal.PROBE,
    "init": init.PROBE,
    "sharpness": sharpness.PROBE,
    "plasticity": plasticity.PROBE,
}
