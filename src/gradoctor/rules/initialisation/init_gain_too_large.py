"""Weights so large at the start that the signal blows up or saturates every layer."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.activations.saturated_activation import is_hidden
from gradoctor.rules.evidence import (
    as_pairs,
    diverged,
    first_values,
    grade,
    paths,
    recent_medians,
    stuck,
)
from gradoctor.rules.evidence.depth import initial, slope
from gradoctor.rules.evidence.exclusions import Exclusion, fine_tuning
from gradoctor.rules.evidence.loss import initial_ratio, level
from gradoctor.rules.initialisation._tried import tried, unscaled_input

STEEP = 0.7  # bits a layer
TOTAL = 10.0  # bits over the depth
SATURATED = 0.5
LARGE = 2.0  # rms of a pre-activation: of a normal one half lies beyond 1.35, where tanh is flat
LOUD = 3.0  # initial loss over that of an uninformed predictor


@rule(proof="statistical", needs=("act.rms",))
def init_gain_too_large(run: Recording) -> Iterator[Finding]:
    """At step 0 activations grow through the depth, or most hidden activations are saturated.

    Mechanism: a forward slope of +0.7 bits a layer and 10 bits in all; or half of the hidden tanh
    and sigmoid layers with half of their outputs saturated while the inputs are in scale. Harm: the
    loss diverged or is stuck, or it began at more than 3 times the uninformed loss and the run has
    not beaten that loss, or has not left saturation, since. The probe init confirms it where noise
    fares no better, and makes it a note where it is the inputs' scale.

    Values: kind, forward_bits, total_bits, saturated, layers, first, initial_ratio
    """
    exclusions: tuple[Exclusion, ...] = (
        fine_tuning(run),
        unscaled_input(run),
    )
    for values, sites, evidence in (_grows(run), _saturates(run)):
        if not sites:
            continue
        yield Finding(
            level=tried(run, grade(persists=True, harm=_harm(run), exclusions=exclusions)),
            sites=sites,
            first_step=0,
            last_step=0,
            values={"initial_ratio": initial_ratio(run), **values},
            evidence=(evidence, Evidence("lossfn.value", initial_ratio(run), LOUD, "ratio")),
            exclusions=as_pairs(exclusions),
        )
        return


Seen = tuple[dict[str, object], tuple[int, ...], Evidence]
NOTHING: Seen = ({}, (), Evidence("", 0.0))


def _grows(run: Recording) -> Seen:
    for path in paths(run):
        forward = initial(run, path, "act.rms")
        if not len(forward):
            continue
        line = slope(forward)
        total = line.slope * (len(path.layers) - 1)
        # a residual stream doubles now and then; an explosion is straight
        if line.slope >= STEEP and total >= TOTAL and line.r2 > 0.8:
            values: dict[str, object] = {
                "kind": "growth",
                "forward_bits": line.slope,
                "total_bits": total,
                "saturated": float("nan"),
                "layers": len(path.layers),
                "first": path.layers[0].name,
            }
            return values, path.ids, Evidence("act.rms", line.slope, STEEP, "bits/layer")
    return NOTHING


def _saturates(run: Recording) -> Seen:
    first = first_values(run, "act.saturated_fraction")
    hidden = [s for s in run.of_kind("module", "op") if s.id in first and is_hidden(run, s)]
    size = first_values(run, "act.rms")
    fed = {s.id: _feeding(run, s) for s in hidden}
    # what saturates without a large input from weights was set so: a gate, a mask
    full = [
        s for s in hidden
        if first[s.id] >= SATURATED and (f := fed[s.id]) is not None and size.get(f, 0.0) >= LARGE
    ]  # fmt: skip
    if not full or 2 * len(full) < len(hidden):
        return NOTHING
    share = max(first[s.id] for s in full)
    values: dict[str, object] = {
        "kind": "saturation",
        "forward_bits": float("nan"),
        "total_bits": float("nan"),
        "saturated": share,
        "layers": len(full),
        "first": full[0].name,
    }
    return (
        values,
        tuple(f for s in full if (f := fed[s.id]) is not None),
        Evidence("act.saturated_fraction", share, SATURATED, "fraction", full[0].id),
    )


def _feeding(run: Recording, activation: Site) -> int | None:
    """The product that ran last before an activation: its weights made the input."""
    model = activation.meta.get("model")
    before = [
        s for s in run.of_kind("module")
        if s.meta.get("role") in ("matmul", "conv", "norm") and 0 <= s.order < activation.order
        and (not model or s.meta.get("model") == model)
    ]  # fmt: skip
    return max(before, key=lambda s: s.order).id if before else None


def _harm(run: Recording) -> bool:
    if diverged(run).found or stuck(run).found:
        return True
    known = level(run)
    beaten = known is None or known.now > 0.03
    still = recent_medians(run, "act.saturated_fraction")
    first = first_values(run, "act.saturated_fraction")
    flat = any(still.get(s, 0.0) >= SATURATED for s in first if first[s] >= SATURATED)
    return initial_ratio(run) > LOUD and (flat or not beaten)
