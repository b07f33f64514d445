"""Weights that nobody has trained take no part in training."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Fact, Finding, Level, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, is_final, no_progress, stuck
from gradoctor.rules.evidence.exclusions import Exclusion, converged, fine_tuning, too_early
from gradoctor.rules.evidence.loss import level

DEFAULT = 1.0 / sqrt(3.0)  # std * sqrt(fan_in) of PyTorch's linear layers and convolutions
NEAR, ELEMENTS = 0.05, 256
LOOKS = 3
ADAPTED = 0.1  # of the weights: fewer trained ones are adapters


@rule(proof="structural", needs=("fact:wiring", "fact:init"))
def frozen_by_accident(run: Recording) -> Iterator[Finding]:
    """The head, or a layer between trained ones, is frozen as PyTorch initialised it.

    Weights that came from training have another spread than those of a fresh layer, so a frozen
    backbone is not meant. Nor are models that are frozen as a whole, or a prefix of random features
    before what is trained. Suspect; sick where the loss is stuck, stands still, or is still above
    half of blind guessing's after 200 steps.

    Values: kind (head or scattered), count, names
    """
    for model, layers in _layers(run).items():
        untrained = [f for f in layers if f[2]]
        if not untrained or not any(f[1] for f in layers):
            continue
        head, kept = layers[-1], [i for i, f in enumerate(layers) if f[1]]
        between = [f for i, f in enumerate(layers) if f[2] and i > kept[0]]
        if not between:
            continue
        exclusions = (fine_tuning(run), Exclusion("adapters", _adapted(run, model)))
        yield _finding(run, "head" if head[2] else "scattered", between, exclusions)


Layer = tuple[Site, bool, bool]
"""A weight in order of execution; whether it is trained; whether it is frozen as it was made."""


def _layers(run: Recording) -> dict[str, list[Layer]]:
    """The matrices of each model that ran, in order of execution."""
    wiring = {f.site: f for f in run.facts_of("wiring")}
    init = {f.site: f for f in run.facts_of("init")}
    models: dict[str, list[Layer]] = {}
    for site in run.of_kind("parameter"):
        wired = wiring.get(site.id)
        matrix = len(site.meta.get("shape") or ()) > 1 and site.order >= 0
        if wired is None or not matrix or site.meta.get("role") not in ("matmul", "conv"):
            continue
        trained = bool(wired.data.get("requires_grad")) and wired.data.get("optimizer") is not None
        fresh = not wired.data.get("requires_grad") and _as_made(run, site, wired, init)
        models.setdefault(str(site.meta.get("model", "")), []).append((site, trained, fresh))
    return models


def _as_made(run: Recording, site: Site, wired: Fact, init: dict[int | None, Fact]) -> bool:
    """A weight with PyTorch's own spread that did not move."""
    fact = init.get(site.id)
    if fact is None or int(site.meta.get("numel") or 0) < ELEMENTS or not wired.data.get("used"):
        return False
    if wired.data.get("moved_unowned") or wired.data.get("frozen_moves"):
        return False
    return abs(float(fact.data.get("gain") or 0.0) - DEFAULT) < NEAR * DEFAULT


def _adapted(run: Recording, model: str) -> bool:
    """Few of the model's weights are trained: adapters, prompts, biases of a large model."""
    sizes = {True: 0, False: 0}
    for fact in run.facts_of("wiring"):
        site = run.sites.get(fact.site) if fact.site is not None else None
        if site is not None and str(site.meta.get("model", "")) == model:
            sizes[bool(fact.data.get("requires_grad"))] += int(site.meta.get("numel") or 0)
    return sizes[True] < ADAPTED * (sizes[True] + sizes[False])


def _finding(
    run: Recording, kind: str, layers: list[Layer], exclusions: tuple[Exclusion, ...]
) -> Finding:
    sites = [site for site, _, _ in layers]
    grade = Level.SICK if _harmed(run) else Level.SUSPECT
    grade = Level(max(Level.NOTE, grade - 2 * any(e.found for e in exclusions)))
    return Finding(
        grade, tuple(s.id for s in sites), 0, max(0, run.steps - 1),
        {"kind": kind, "count": len(sites), "names": ", ".join(s.name for s in sites[:3])},
        (Evidence("wiring.frozen", len(sites), 0, "tensors", sites[0].id),), as_pairs(exclusions),
    )  # fmt: skip


def _harmed(run: Recording) -> bool:
    if converged(run).found or too_early(run, final=is_final(run)).found:
        return False
    known = level(run)
    slow = run.steps >= 200 and known is not None and known.now < 0.5
    return slow or stuck(run).found or no_progress(run).found
