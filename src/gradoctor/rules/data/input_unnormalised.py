"""Inputs far from unit scale go straight into a matmul or convolution."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import (
    as_pairs,
    diverged,
    first_values,
    grade,
    no_progress,
    recent_medians,
    stuck,
)
from gradoctor.rules.evidence.exclusions import Exclusion, converged, fine_tuning
from gradoctor.rules.evidence.harm import barely_learnt
from gradoctor.rules.evidence.loss import initial_ratio, level
from gradoctor.rules.evidence.probes import at_fault, weighed

LARGE = 10.0  # of the largest feature's mean or standard deviation
SPREAD = 1e3  # between features' standard deviations
LOUD = 10.0  # rms of what the first layer puts out
FEWEST_SAMPLES = 64


@rule(proof="statistical", needs=("input.feature_std",))
def input_unnormalised(run: Recording) -> Iterator[Finding]:
    """Features are far from zero mean and unit scale, and the first layer has no norm before it.

    Mechanism: a feature's mean or standard deviation beyond 10, and the first layer shows it at
    the start: its output is large, the activation behind it saturated, or the loss over 3 times the
    uninformed one. Harm: diverged or stuck, activations flat, or the loss never over its start, or
    after it on a floor a fifth below the baseline at best.
    Without harm the fact is only noted. Deviations that differ a thousandfold are a note, too:
    a feature that hardly varies does little harm. Pixels in [0, 1] are not worth that. The probe
    init confirms it where the batch standardised is well, and makes it a note where that changes
    nothing and noise is as ill.

    Values: mean, std, spread, first, layer, statistic
    """
    for site in run.of_kind("input"):
        scale = _scale(run, site)
        past = _past(scale)
        if past is None or not _bare(site):
            continue
        statistic, value, threshold = past
        layer = run.sites.get(site.meta.get("first_layer", -1))
        exclusions: tuple[Exclusion, ...] = (fine_tuning(run), converged(run))
        shows = value_is_scale(statistic) and _shows(run, layer)
        harm = shows and _harm(run, layer)
        yield Finding(
            level=_tried(run, grade(persists=shows, harm=harm, exclusions=exclusions)),
            sites=(layer.id,) if layer is not None else (site.id,),
            values={
                "mean": scale["input.feature_mean"],
                "std": scale["input.feature_std"],
                "spread": scale["input.feature_spread"],
                "first": layer.name if layer is not None else site.name,
                "layer": layer.type if layer is not None else "",
                "statistic": statistic,
            },
            evidence=(Evidence(statistic, value, threshold, "", site.id),),
            exclusions=as_pairs(exclusions),
        )


def is_off_scale(run: Recording) -> bool:
    """True when some input is so far off scale that it explains what the first layers do."""
    return any(
        _bare(s) and (past := _past(_scale(run, s))) is not None and value_is_scale(past[0])
        for s in run.of_kind("input")
    )


def _tried(run: Recording, level_: Level) -> Level:
    """What standardised inputs do: with harm seen, they settle it."""
    fault = at_fault(run)
    confirmed = fault == "inputs" and level_ >= Level.SICK
    return weighed(level_, confirmed=confirmed, refuted=fault == "weights")


def value_is_scale(statistic: str) -> bool:
    """A mean or deviation, rather than a ratio between features."""
    return statistic != "input.feature_spread"


def _scale(run: Recording, site: Site) -> dict[str, float]:
    names = ("feature_mean", "feature_std", "feature_spread", "samples")
    scale = {}
    for name in names:
        series = run.series(f"input.{name}", site.id)
        scale[f"input.{name}"] = float(series.values[-1]) if len(series) else float("nan")
    return scale


def _past(scale: dict[str, float]) -> tuple[str, float, float] | None:
    if scale["input.samples"] < FEWEST_SAMPLES:
        return None
    for statistic, threshold in (
        ("input.feature_mean", LARGE),
        ("input.feature_std", LARGE),
        ("input.feature_spread", SPREAD),
    ):
        if np.isfinite(scale[statistic]) and scale[statistic] > threshold:
            return statistic, scale[statistic], threshold
    return None


def _bare(site: Site) -> bool:
    """Floats that go into a matmul or convolution without a norm."""
    return site.meta.get("kind") != "ids" and site.meta.get("first_role") in ("matmul", "conv")


def _nearest(run: Recording, layer: Site | None) -> list[Site]:
    """The activations right behind the first layer."""
    order = -2 if layer is None else layer.order
    return [s for s in run.of_kind("module", "op") if order < s.order <= order + 2]


def _shows(run: Recording, layer: Site | None) -> bool:
    """The first layer's answer to the scale, at the start."""
    loud = first_values(run, "act.rms").get(-1 if layer is None else layer.id, 0.0)
    flat = first_values(run, "act.saturated_fraction")
    saturated = any(flat.get(s.id, 0.0) >= 0.5 for s in _nearest(run, layer))
    return loud > LOUD or saturated or initial_ratio(run) > 3.0


def _harm(run: Recording, layer: Site | None) -> bool:
    if diverged(run).found or stuck(run).found:
        return True
    known = level(run)
    beaten = known is None or known.now > 0.03
    crawls = barely_learnt(run) and no_progress(run).found
    if initial_ratio(run) > 3.0 and (crawls or not beaten):
        return True
    still = recent_medians(run, "act.saturated_fraction")
    flat = any(still.get(s.id, 0.0) >= 0.5 for s in _nearest(run, layer))
    return flat and not converged(run).found
