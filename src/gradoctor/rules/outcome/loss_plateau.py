"""The loss has stopped falling."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import UndecidedError, as_pairs, diverged, start_step, stuck
from gradoctor.rules.evidence.exclusions import (
    Exclusion,
    adversarial,
    converged,
    moving_targets,
    schedule_tail,
    warming_up,
)
from gradoctor.rules.evidence.loss import leading_loss, level, loss_values
from gradoctor.rules.evidence.robust import bootstrap_difference, median

STEPS = 500
HIGH = 0.1  # r below which next to nothing was learnt: above, the floor of a noisy task may lie


@rule(proof="statistical", needs=("loss.value",))
def loss_plateau(run: Recording) -> Iterator[Finding]:
    """No significant progress over the last 500 steps.

    An outcome: what caused it is another finding. Suspect at most, and only where the loss is still
    close to its baseline; a plateau lower down may well be the floor of the task. Where the targets
    move with what is learnt, a loss that does not fall says nothing.

    Values: steps, loss, fall, r
    """
    if diverged(run).found or stuck(run).found:
        return
    losses = loss_values(run).after(start_step(run))
    if len(losses) < STEPS:
        raise UndecidedError(f"too-short:{len(losses)}/{STEPS}")
    recent = losses.values[-max(STEPS, len(losses) // 2) :]
    third = len(recent) // 3
    low, high = bootstrap_difference(recent[:third], recent[-third:])
    exclusions: tuple[Exclusion, ...] = (
        converged(run),
        schedule_tail(run),
        warming_up(run),
        adversarial(run),
        moving_targets(run),
    )
    if low > 0 or any(e.found for e in exclusions):
        return
    known = level(run)
    ratio = float(known.now) if known is not None else float("nan")
    site = leading_loss(run)
    yield Finding(
        level=Level.SUSPECT if ratio < HIGH else Level.NOTE,
        sites=() if site is None else (site.id,),
        first_step=int(losses.steps[-len(recent)]),
        last_step=int(losses.steps[-1]),
        values={"steps": len(recent), "loss": median(recent), "fall": (low + high) / 2, "r": ratio},
        evidence=(Evidence("loss.value", low, 0.0, "loss"),),
        exclusions=as_pairs(exclusions),
    )
