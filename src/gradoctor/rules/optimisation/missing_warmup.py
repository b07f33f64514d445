"""The first steps are the longest, and they are too long."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, diverged, no_progress, stuck
from gradoctor.rules.evidence.exclusions import adversarial, converged
from gradoctor.rules.evidence.timing import learning_rate, optimizers
from gradoctor.rules.evidence.updates import LARGE, bursts

EARLY = 100  # steps
ADAM = ("Adam", "AdamW", "NAdam", "Adamax")
AT_PEAK = 0.95


@rule(proof="statistical", needs=("update.ratio", "loss.value"))
def missing_warmup(run: Recording) -> Iterator[Finding]:
    """A transformer trains with Adam at the full rate from step 0, and never gets over its start.

    Mechanism: attention or a layer norm in the model, the rate at its peak in the first step, and
    in the first 100 steps one that changes half of the weights by more than a tenth. Harm: the run
    diverges or gets nowhere.

    Values: update_ratio, step, lr
    """
    rates, large = learning_rate(run).values, bursts(run)
    early = large.values[large.steps < EARLY]
    sites = [s for s in optimizers(run) if s.type in ADAM]
    if not (len(rates) and len(early) and sites and _is_transformer(run)):
        return
    if float(rates[0]) < AT_PEAK * float(np.max(rates)):
        return
    exclusions = (adversarial(run), converged(run))
    nowhere = stuck(run).found or no_progress(run).found
    if not (diverged(run).found or nowhere) or any(e.found for e in exclusions):
        return
    yield Finding(
        level=Level.SUSPECT,
        sites=(sites[0].id,),
        first_step=int(large.steps[0]),
        last_step=max(0, run.steps - 1),
        values={
            "update_ratio": float(early.max()),
            "step": int(large.steps[0]),
            "lr": float(rates[0]),
        },
        evidence=(Evidence("update.ratio", float(early.max()), LARGE, "ratio"),),
        exclusions=as_pairs(exclusions),
    )


def _is_transformer(run: Recording) -> bool:
    return any(s.meta.get("role") == "attention" for s in run.of_kind("module")) or any(
        "Transformer" in s.type or "Attention" in s.type
        or any("Transformer" in p or "Attention" in p for p in s.meta.get("path") or ())
        for s in run.of_kind("module")
    )  # fmt: skip
