"""After all its steps the network is no better than one that never looks at its input."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError, as_pairs, is_final, stuck
from gradoctor.rules.evidence.exclusions import (
    Exclusion,
    adversarial,
    too_early,
    warming_up,
)
from gradoctor.rules.evidence.harm import constant_output, settled
from gradoctor.rules.evidence.loss import Level as Known
from gradoctor.rules.evidence.loss import level
from gradoctor.rules.evidence.relapse import Relapse, relapsed

AT = 0.03


@rule(proof="statistical", needs=("lossfn.value", "lossfn.baseline"))
def stuck_at_baseline(run: Recording) -> Iterator[Finding]:
    """The loss is that of the best constant prediction.

    The headline harm: |r| < 3 % of the baseline over the last third of the run, and predictions
    that hardly depend on the input. Where those were not observed it is suspect at most. Or the
    loss had come far down and was back at the baseline within ten steps, for as long as it had
    taken to come down, and 50 steps at least.

    Values: loss, baseline, r, kind (lost, or the loss function), steps, before
    """
    known = level(run)
    if known is None:
        raise UndecidedError("no-baseline")
    early = too_early(run, final=is_final(run))
    if early.found:
        raise UndecidedError(f"too-short:{early.why}")
    if adversarial(run).found:
        raise UndecidedError(adversarial(run).name)
    lost = relapsed(run)
    if lost.found and lost.lasted >= lost.took:
        yield _lost(run, known, lost)
        return
    outcome = stuck(run)
    if not outcome.found:
        return
    exclusions: tuple[Exclusion, ...] = (warming_up(run),)
    witnessed = constant_output(run, known) is True
    sure = witnessed and settled(run) and not any(e.found for e in exclusions)
    yield Finding(
        level=Level.SICK if sure else Level.SUSPECT,
        sites=(known.site.id,),
        first_step=outcome.since,
        last_step=int(known.steps[-1]),
        values={
            "loss": known.baseline * (1.0 - outcome.value),
            "baseline": known.baseline,
            "r": outcome.value,
            "kind": str(known.site.meta.get("function") or known.site.type),
            "steps": run.steps,
        },
        evidence=(Evidence("lossfn.value", outcome.value, AT, "r", known.site.id),),
        exclusions=as_pairs(exclusions),
    )


def _lost(run: Recording, known: Known, lost: Relapse) -> Finding:
    exclusions: tuple[Exclusion, ...] = (warming_up(run),)
    r = (known.baseline - lost.after) / known.baseline
    return Finding(
        level=Level.SUSPECT if any(e.found for e in exclusions) else Level.SICK,
        sites=(known.site.id,),
        first_step=lost.step,
        last_step=lost.step + lost.lasted - 1,
        values={
            "loss": lost.after,
            "baseline": known.baseline,
            "r": r,
            "kind": "lost",
            "steps": run.steps,
            "before": lost.before,
        },
        evidence=(Evidence("lossfn.value", r, AT, "r", known.site.id),),
        exclusions=as_pairs(exclusions),
    )
