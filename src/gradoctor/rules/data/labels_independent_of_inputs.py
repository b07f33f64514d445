"""Nothing in the inputs says what the labels are."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import as_pairs, is_final, recent_medians, stuck
from gradoctor.rules.evidence.exclusions import Exclusion, too_early, warming_up
from gradoctor.rules.evidence.loss import level, loss_values
from gradoctor.rules.evidence.probes import probed
from gradoctor.rules.evidence.robust import bootstrap_difference

NOISE = 2.0  # gradient signal over noise: 1 is pure noise, rates too low show 5 and more
ALIVE = 0.1  # of a hidden layer's output that differs from sample to sample
MOVED = 0.02
PLAIN = ("addmm", "mm", "convolution")
"""What makes an output that nothing holds back: a norm or activation there has its own ills."""


@rule(proof="statistical", needs=("grad.snr", "act.centred_ratio", "lossfn.baseline"))
def labels_independent_of_inputs(run: Recording) -> Iterator[Finding]:
    """Stuck at the baseline while everything else is in health.

    Hidden layers tell samples apart, weights move, and gradients of different batches cancel like
    noise: there is nothing to learn, or the labels belong to other rows. Suspect by itself: a task
    may be that hard. Labels that were learnt by heart later do not show. That the network learns
    eight samples by heart (probe overfit) shows its health as well as its layers do; that it cannot
    makes this a note.

    Values: snr, loss, baseline
    """
    known = level(run)
    outcome = stuck(run)
    if known is None or not outcome.found or _falls(run):
        return
    snr = recent_medians(run, "grad.snr").get(0)
    trial = probed(run, "overfit")
    able = trial is not None and trial.verdict == "memorises"
    if snr is None or snr > NOISE or not _is_alive(run, able=able) or not _moves(run):
        return
    if not any(f.data.get("producer") in PLAIN for f in run.facts_of("loss_call", known.site.id)):
        return
    exclusions: tuple[Exclusion, ...] = (too_early(run, final=is_final(run)), warming_up(run))
    unable = trial is not None and trial.verdict == "stuck"
    evidence = [Evidence("grad.snr", snr, NOISE, "ratio")]
    if trial is not None and (able or unable):
        evidence.append(Evidence("probe.left", trial.number("left"), None, "fraction"))
    yield Finding(
        level=Level.NOTE if unable or any(e.found for e in exclusions) else Level.SUSPECT,
        sites=(known.site.id,),
        first_step=outcome.since,
        last_step=int(known.steps[-1]),
        values={
            "snr": snr,
            "loss": known.baseline * (1.0 - outcome.value),
            "baseline": known.baseline,
        },
        evidence=tuple(evidence),
        exclusions=as_pairs(exclusions),
    )


def _falls(run: Recording) -> bool:
    """Slowly, but beyond chance, over the last half: something in the inputs does say it."""
    losses = loss_values(run).values
    half = losses[len(losses) // 2 :]
    third = len(half) // 3
    low, _ = bootstrap_difference(half[:third], half[-third:])
    return third >= 20 and low > 0


def _is_alive(run: Recording, *, able: bool) -> bool:
    """Every hidden layer's output differs by sample, and few of its units are dead.

    The first need not be seen where the network was able to learn by heart.
    """
    ratios, dead = (recent_medians(run, f"act.{n}") for n in ("centred_ratio", "dead_fraction"))
    hidden = [
        s for s in run.of_kind("module")
        if s.id in ratios and not s.meta.get("head") and s.meta.get("role") in ("matmul", "conv")
    ]  # fmt: skip
    silent = max(dead.values(), default=0.0)
    apart = able or (bool(hidden) and min(ratios[s.id] for s in hidden) > ALIVE)
    return apart and silent < 0.5


def _moves(run: Recording) -> bool:
    moved = recent_medians(run, "weight.movement")
    return max(moved.values(), default=0.0) > MOVED
