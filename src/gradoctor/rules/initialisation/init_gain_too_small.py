"""Weights so small at the start that the signal dies on its way, forwards and backwards."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, diverged, grade, paths, stuck
from gradoctor.rules.evidence.depth import initial, is_cliff, slope
from gradoctor.rules.evidence.exclusions import Exclusion, fine_tuning, zero_init_escape
from gradoctor.rules.initialisation._tried import tried, unscaled_input

STEEP = -1.0  # bits a layer, both ways
TOTAL = 10.0  # bits over the depth


@rule(proof="statistical", needs=("act.rms", "actgrad.rms"))
def init_gain_too_small(run: Recording) -> Iterator[Finding]:
    """At step 0 the signal shrinks by more than a bit a layer in both directions.

    Mechanism: forward and backward slopes both below -1 bit a layer and 10 bits or more over the
    depth, not lost in one place. PyTorch's own default loses 1.3 bits backwards and is harmless up
    to some ten layers: its biases keep the forward signal up. Harm: stuck at the trivial baseline.
    The probe init confirms it where noise fares no better, and makes it a note where it is the
    inputs' scale.

    Values: forward_bits, backward_bits, layers, first, std
    """
    for path in paths(run):
        forward, backward = initial(run, path, "act.rms"), initial(run, path, "actgrad.rms")
        if not len(forward) or not len(backward):
            continue
        ahead, back = slope(forward), slope(backward)
        # a backward profile that rises towards the loss has a positive slope
        if ahead.slope > STEEP or -back.slope > STEEP:
            continue
        if is_cliff(-forward) or is_cliff(backward):
            continue
        if abs(back.slope) * (len(path.layers) - 1) < TOTAL:
            continue
        harm = stuck(run)
        exclusions: tuple[Exclusion, ...] = (
            zero_init_escape(run),
            fine_tuning(run),
            unscaled_input(run),
        )
        level = grade(persists=True, harm=harm.found or diverged(run).found, exclusions=exclusions)
        yield Finding(
            level=tried(run, level),
            sites=path.ids,
            first_step=0,
            last_step=max(0, run.steps - 1) if harm.found else 0,
            values={
                "forward_bits": ahead.slope,
                "backward_bits": -back.slope,
                "layers": len(path.layers),
                "first": path.layers[0].name,
                "std": _std(run, path.weights),
            },
            evidence=(
                Evidence("act.rms", ahead.slope, STEEP, "bits/layer"),
                Evidence("actgrad.rms", -back.slope, STEEP, "bits/layer"),
            ),
            exclusions=as_pairs(exclusions),
        )
        return


def _std(run: Recording, weights: tuple[int | None, ...]) -> float:
    known = [
        float(f.data["std"])
        for w in weights
        if w is not None
        for f in run.facts_of("init", w)
        if f.data.get("std") is not None
    ]
    return float(np.median(known)) if known else float("nan")
