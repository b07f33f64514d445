"""Adam's epsilon, not its second moment, sets the step."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, recent_medians, start_step
from gradoctor.rules.evidence.exclusions import Exclusion, adversarial, converged
from gradoctor.rules.evidence.harm import creeps, left_behind, stuck
from gradoctor.rules.evidence.robust import median
from gradoctor.rules.evidence.timing import epsilon
from gradoctor.rules.evidence.updates import matrices

SHARE = 0.5  # of a matrix's elements
BEHIND = 0.1  # update ratio over the best matrix's
INTENDED = 1e-6  # an epsilon that somebody chose


@rule(proof="statistical", needs=("moment.epsilon_share", "update.ratio"))
def adam_epsilon_dominance(run: Recording) -> Iterator[Finding]:
    """Gradients are so small that epsilon takes the place of their scale.

    Mechanism: for half of a matrix's elements the root of the second moment is below ten epsilon,
    and the matrix is updated by a tenth of the best one's share or less. Harm: it is left behind,
    or the loss is stuck or creeps.

    Values: share, behind, epsilon, grad_rms
    """
    shares, updates = (
        recent_medians(run, "moment.epsilon_share"),
        recent_medians(run, "update.ratio"),
    )
    chosen = [m for m in matrices(run) if m in shares and m in updates]
    best = max((updates[m] for m in chosen), default=0.0)
    slow = [m for m in chosen if shares[m] >= SHARE and updates[m] <= BEHIND * best]
    if not slow or best <= 0:
        return
    eps = epsilon(run)
    exclusions = (adversarial(run), converged(run), Exclusion("large-epsilon", eps > INTENDED))
    harm = left_behind(run, slow).found and (stuck(run).found or creeps(run))
    slow.sort(key=lambda m: -shares[m])
    yield Finding(
        level=Level.SUSPECT if harm and not any(e.found for e in exclusions) else Level.NOTE,
        sites=tuple(slow[:3]),
        first_step=start_step(run),
        last_step=max(0, run.steps - 1),
        values={
            "share": shares[slow[0]],
            "behind": updates[slow[0]] / best,
            "epsilon": eps,
            "grad_rms": median(run.series("grad.rms", slow[0]).values),
        },
        evidence=(
            Evidence("moment.epsilon_share", shares[slow[0]], SHARE, "fraction", slow[0]),
            Evidence("update.ratio", updates[slow[0]] / best, BEHIND, "share", slow[0]),
        ),
        exclusions=as_pairs(exclusions),
    )
