"""Sigmoids or tanhs that work where their derivative is negligible."""

from __future__ import annotations

import math
from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import (
    Persistence,
    as_pairs,
    diverged,
    grade,
    persistence,
    recent_medians,
    stuck,
)
from gradoctor.rules.evidence.depth import weight_of
from gradoctor.rules.evidence.exclusions import Exclusion, converged
from gradoctor.rules.evidence.harm import left_behind
from gradoctor.rules.evidence.loss import level

SATURATED = 0.5
LOST = 3.0  # bits of derivative


@rule(proof="statistical", needs=("act.saturated_fraction", "act.gain_loss"))
def saturated_activation(run: Recording) -> Iterator[Finding]:
    """Most outputs of a hidden activation lie on its flat parts.

    Mechanism: half of the outputs saturate and the derivative's rms has lost 3 bits. Harm: diverged
    or stuck, the layers before it are left behind, or the loss never beat its baseline. Gates and
    output layers saturate by design and are not judged.

    Values: saturated, gain_loss, layers, total, module, activation
    """
    hidden = [s for s in run.of_kind("module", "op") if is_hidden(run, s)]
    ill = [(s, p) for s in hidden if (p := _judge(run, s)) is not None]
    if not ill:
        return
    first, seen = ill[0]
    loss = recent_medians(run, "act.gain_loss")
    worst = max(ill, key=lambda j: j[1].value)[1].value
    exclusions: tuple[Exclusion, ...] = (converged(run),)
    yield Finding(
        level=grade(
            persists=any(p.holds for _, p in ill),
            harm=_harm(run, [s for s, _ in ill]),
            exclusions=exclusions,
        ),
        sites=tuple(s.id for s, _ in ill),
        first_step=min(p.first for _, p in ill),
        last_step=max(p.last for _, p in ill),
        values={
            "saturated": worst,
            "gain_loss": loss.get(first.id, float("nan")),
            "layers": len(ill),
            "total": len(hidden),
            "module": first.name,
            "activation": str(first.meta.get("activation", first.type)),
        },
        evidence=(
            Evidence("act.saturated_fraction", seen.value, SATURATED, "fraction", first.id),
            Evidence("act.gain_loss", loss.get(first.id, float("nan")), LOST, "bits", first.id),
        ),
        exclusions=as_pairs(exclusions),
    )


def is_hidden(run: Recording, site: Site) -> bool:
    """An activation between layers: neither a gate nor what the network puts out.

    A sigmoid that works beside another activation of the same module is a gate; so is an activation
    of a parameter alone, which has no batch.
    """
    if site.order < 0 or not site.meta.get("activation"):
        return False
    if site.kind == "op" and len(site.meta.get("out_shape", (0, 0))) < 2:
        return False
    if site.order > run.derive("last_matrix", _last_matrix):
        return False
    if any(name in ("LSTM", "GRU", "RNN") for name in site.meta.get("path") or ()):
        return False
    if site.kind == "op" and site.meta.get("activation") == "sigmoid":
        siblings = [
            s
            for s in run.of_kind("op")
            if s.meta.get("module") == site.meta.get("module") and s.meta.get("module")
        ]
        return not any(s.meta.get("activation") == "tanh" for s in siblings)
    return True


def _last_matrix(run: Recording) -> float:
    """Where the last layer with a matrix ran."""
    layers = (m for m in run.of_kind("module") if m.meta.get("role") in ("matmul", "conv"))
    return max((m.order for m in layers), default=math.inf)


def _judge(run: Recording, site: Site) -> Persistence | None:
    past = persistence(
        run,
        run.series("act.saturated_fraction", site.id),
        SATURATED,
        side="above",
        clear=SATURATED / 2,
    )
    lost = recent_medians(run, "act.gain_loss").get(site.id, 0.0)
    return past if past.mechanism and lost >= LOST else None


def _harm(run: Recording, ill: list[Site]) -> bool:
    if diverged(run).found or stuck(run).found:
        return True
    known = level(run)
    if known is not None and known.now < 0.03:
        return True
    first = min(s.order for s in ill)
    before = [
        w
        for m in run.of_kind("module")
        if 0 <= m.order <= first and (w := weight_of(run, m)) is not None
    ]
    return left_behind(run, before).found
