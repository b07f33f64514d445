"""One place in the network blocks the gradient."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Site
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import (
    Path,
    Persistence,
    as_pairs,
    backward_profile,
    grade,
    paths,
    persistence,
    stuck,
)
from gradoctor.rules.evidence.depth import Profile, cliff, is_cliff
from gradoctor.rules.evidence.exclusions import Exclusion, converged, zero_init_escape
from gradoctor.rules.evidence.harm import left_behind
from gradoctor.rules.evidence.robust import Array, mad, median
from gradoctor.rules.evidence.windows import medians_from, recent_medians

FALL = 10.0  # bits in one place
OUTLIER = 6.0  # MADs past its peers


@rule(proof="statistical", needs=("actgrad.rms",))
def gradient_cliff(run: Recording) -> Iterator[Finding]:
    """Between two neighbouring layers the gradient falls by most of its whole span.

    Mechanism: at least 10 bits lost in one place, more than half of the span, and more than 6 MADs
    past the other layers. Harm: stuck at the baseline, or all layers before it are left behind.

    Values: fall_bits, span_bits, module, before, after
    """
    for path in paths(run):
        profile = backward_profile(run, path)
        past = persistence(run, profile.drop, FALL, side="above", clear=FALL - 1)
        if not past.mechanism:
            continue
        middle = profile.middle(run)
        _, fall = cliff(middle)
        if fall < FALL or not is_cliff(middle) or not _outlier(middle, fall):
            continue
        yield _finding(run, path, profile, middle, past)


def _outlier(profile: Array, fall: float) -> bool:
    rest = np.diff(profile)
    rest = rest[np.isfinite(rest) & (rest != fall)]
    if len(rest) < 3:
        return True
    return fall - median(rest) > OUTLIER * max(mad(rest), 0.25)


def _finding(
    run: Recording,
    path: Path,
    profile: Profile,
    middle: Array,
    past: Persistence,
) -> Finding:
    # later falls (units that died since) are its work: the place is where it began
    early = profile.onset(past.first)
    began = is_cliff(early) and cliff(early)[1] >= FALL
    at, fall = cliff(early if began else middle)
    seen = medians_from(run, "actgrad.rms", past.first) if began else recent_medians(
        run, "actgrad.rms"
    )  # fmt: skip
    below, above = path.layers[at], path.layers[at + 1]
    before = [w for w in path.weights[: at + 1] if w is not None]
    culprit = _culprit(run, seen, below, above)
    outcome, behind = stuck(run), left_behind(run, before)
    exclusions: tuple[Exclusion, ...] = (zero_init_escape(run), converged(run))
    return Finding(
        level=grade(persists=past.holds, harm=outcome.found or behind.found, exclusions=exclusions),
        sites=(culprit.id, below.id),
        first_step=past.first,
        last_step=past.last,
        values={
            "fall_bits": fall,
            "span_bits": float(middle[0] - middle[-1]),
            "module": culprit.name,
            "before": below.name,
            "after": above.name,
        },
        evidence=(
            Evidence("actgrad.rms", fall, FALL, "bits", culprit.id),
            *(
                (Evidence("weight.movement", behind.value, 0.02, "share", before[0]),)
                if behind.found and before
                else ()
            ),
            *((Evidence("lossfn.value", outcome.value, 0.03, "r"),) if outcome.found else ()),
        ),
        exclusions=as_pairs(exclusions),
    )


def _culprit(run: Recording, gradients: dict[int, float], below: Site, above: Site) -> Site:
    """The site between the two whose backward loses most: an activation, a norm, or the layer."""
    between = [
        s
        for s in run.of_kind("module", "op")
        if below.order <= s.order <= above.order and s.id in gradients
    ]
    if len(between) < 2:
        return above
    bits = [float(np.log2(max(gradients[s.id], 2.0**-149))) for s in between]
    return between[int(np.argmax(np.diff(bits))) + 1]
