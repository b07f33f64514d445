"""The gradient shrinks from layer to layer, so that early layers do not learn."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import (
    Path,
    Persistence,
    as_pairs,
    backward_profile,
    grade,
    paths,
    persistence,
    recent_medians,
    stuck,
)
from gradoctor.rules.evidence.depth import is_cliff, slope
from gradoctor.rules.evidence.exclusions import converged, warming_up
from gradoctor.rules.evidence.harm import left_behind
from gradoctor.rules.evidence.timing import epsilon, is_adaptive

SPAN = -10.0  # bits from the last layer to the first: a thousandth
CLEAR = -9.0
BEHIND = 0.02  # of the largest relative update; healthy nets stay above .07


@rule(proof="statistical", needs=("actgrad.rms", "update.ratio"))
def vanishing_gradient(run: Recording) -> Iterator[Finding]:
    """The backward signal shrinks geometrically towards the input.

    Mechanism: the span along the main path is at most -10 bits, spread over the depth rather than
    lost in one place, and the first layers' relative update is at most 2 % of the best layer's
    (the most, not the median: where most layers vanish the median vanishes too).
    Harm: stuck at the trivial baseline, or the early layers are left behind. Adam hides a small
    gradient until it nears epsilon, so under Adam being left behind is not enough by itself.

    Values: span_bits, slope_bits, layers, first, last, update_share, grad_rms, ratio
    """
    for path in paths(run):
        profile = backward_profile(run, path)
        past = persistence(run, profile.span, SPAN, side="below", clear=CLEAR)
        if not past.mechanism:
            continue
        middle = profile.middle(run)
        if is_cliff(middle):
            continue
        early = _early(run, path)
        shares = _update_shares(run, path)
        behind = [shares[w] for w in early if w in shares]
        if not behind or max(behind) > BEHIND:
            continue
        yield _finding(run, path, past, max(behind))


def _early(run: Recording, path: Path) -> tuple[int, ...]:
    """Weights of the first tenth of the layers, those that are updated at all."""
    updates = recent_medians(run, "update.ratio")
    live = [w for w in path.weights if w is not None and w in updates]
    return tuple(live[: max(1, -(-len(live) // 10))])


def _update_shares(run: Recording, path: Path) -> dict[int, float]:
    """u_l: relative update over the largest on the path."""
    updates = recent_medians(run, "update.ratio")
    own = {w: updates[w] for w in path.weights if w is not None and w in updates}
    best = max(own.values(), default=0.0)
    return {w: u / best for w, u in own.items()} if best > 0 else {}


def _finding(run: Recording, path: Path, past: Persistence, share: float) -> Finding:
    early = _early(run, path)
    middle = backward_profile(run, path).middle(run)
    span = float(middle[0] - middle[-1])
    grad = recent_medians(run, "grad.rms").get(early[0], float("nan"))
    outcome, behind = stuck(run), left_behind(run, early)
    hidden = is_adaptive(run) and not grad < 10 * epsilon(run)
    harm = outcome.found or (behind.found and not hidden)
    exclusions = (warming_up(run), converged(run))
    ill = [s.id for s, b in zip(path.layers, middle, strict=True) if b - middle[-1] <= SPAN]
    return Finding(
        level=grade(persists=past.holds, harm=harm, exclusions=exclusions),
        sites=tuple(ill) or (path.layers[0].id,),
        first_step=past.first,
        last_step=past.last,
        values={
            "span_bits": span,
            "slope_bits": -slope(middle).slope,
            "layers": len(path.layers),
            "first": path.layers[0].name,
            "last": path.layers[-1].name,
            "update_share": share,
            "grad_rms": grad,
            "ratio": 2.0**span,
        },
        evidence=(
            Evidence("actgrad.rms", span, SPAN, "bits", path.layers[0].id),
            Evidence("update.ratio", share, BEHIND, "share", early[0]),
            *((Evidence("lossfn.value", outcome.value, 0.03, "r"),) if outcome.found else ()),
            *(
                (Evidence("weight.movement", behind.value, 0.02, "share", early[0]),)
                if behind.found
                else ()
            ),
        ),
        exclusions=as_pairs(exclusions),
    )
