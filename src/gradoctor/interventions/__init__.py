"""What acts inside a trial: the user's own script runs, and one thing in it is changed."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from gradoctor.interventions._intervention import Intervention as Intervention

INTERVENTIONS: dict[str, str] = {
    "causal": "gradoctor.interventions.causal:Causal",
    "first_batch": "gradoctor.interventions.first_batch:FirstBatch",
    "learning_rate": "gradoctor.interventions.learning_rate:LearningRate",
    "no_dropout": "gradoctor.interventions.dropout:NoDropout",
    "plasticity": "gradoctor.interventions.plasticity:Plasticity",
    "precision": "gradoctor.interventions.precision:Precision",
    "replay": "gradoctor.interventions.replay:Replay",
    "sharpness": "gradoctor.interventions.sharpness:Sharpness",
    "span": "gradoctor.interventions.span:Span",
    "train_eval": "gradoctor.interventions.train_eval:TrainEval",
}
"""Name of each intervention -> the class that is made with its options."""


def made(name: str, options: dict[str, Any]) -> Intervention:
    """An intervention by its name.

    Raises:
        KeyError: there is none of that name.
    """
    module, attribute = INTERVENTIONS[name].split(":")
    intervention: Intervention = getattr(import_module(module), attribute)(**options)
    return intervention
