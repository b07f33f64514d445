"""An embedding drawn from N(0, 1) serves as the output layer, too."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, diverged
from gradoctor.rules.evidence.exclusions import fine_tuning
from gradoctor.rules.evidence.loss import initial_ratio, level, recovered

LARGE = 4.0  # std of a logit for inputs of unit scale
LOUD = 3.0  # first loss over that of an uninformed predictor


@rule(proof="numerical", needs=("fact:init", "lossfn.value", "lossfn.baseline"))
def tied_embedding_scale(run: Recording) -> Iterator[Finding]:
    """One weight is the embedding and the output layer, and far too large for the second.

    Proof: the same parameter belongs to an embedding and to a product; its std times the root of
    its width is over 4 at step 0; and the first loss is over 3 times the uninformed predictor's.
    Sick when the loss diverged or never came below that predictor's, suspect when it took more than
    a fifth of the run, a note otherwise.

    Values: std, width, logit_std, ratio, recovered
    """
    ratio = initial_ratio(run)
    if not np.isfinite(ratio) or ratio <= LOUD:
        return
    for weight, embedding in _tied(run):
        for fact in run.facts_of("init", weight.id):
            width = int((weight.meta.get("shape") or [0, 0])[-1])
            std = float(fact.data.get("std") or 0.0)
            if std * np.sqrt(width) <= LARGE:
                continue
            exclusions = (fine_tuning(run),)
            back = recovered(run)
            yield Finding(
                level=_level(run, back),
                sites=(embedding, weight.id),
                values={
                    "std": std,
                    "width": width,
                    "logit_std": std * float(np.sqrt(width)),
                    "ratio": ratio,
                    "recovered": back,
                },
                evidence=(
                    Evidence("init.logit_std", std * float(np.sqrt(width)), LARGE, "", weight.id),
                    Evidence("lossfn.value", ratio, LOUD, "ratio"),
                ),
                exclusions=as_pairs(exclusions),
            )
            return


def _tied(run: Recording) -> list[tuple[Site, int]]:
    """Parameters that an embedding and a product share, each with the embedding's id."""
    owners: dict[int, dict[str, int]] = {}
    for module in run.of_kind("module"):
        for parameter in module.meta.get("params") or ():
            owners.setdefault(parameter, {}).setdefault(str(module.meta.get("role")), module.id)
    return [
        (run.sites[p], roles["embedding"])
        for p, roles in owners.items()
        if {"embedding", "matmul"} <= set(roles) and p in run.sites
    ]


def _level(run: Recording, back: int) -> Level:
    known = level(run)
    above = known is not None and known.now < -0.05 and run.steps >= 100
    if diverged(run).found or above:
        return Level.SICK
    return Level.SUSPECT if not 0 <= back <= max(20, run.steps // 5) else Level.NOTE
