"""Nothing in the inputs says what the labels are."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.evidence import (
    as_pairs,
    is_final,
    learnt_nothing,
    no_progress,
    recent_medians,
    stuck,
)
from gradoctor.rules.evidence.exclusions import Exclusion, too_early, warming_up
from gradoctor.rules.evidence.loss import Level as Known
from gradoctor.rules.evidence.loss import level, loss_values, trivial_level
from gradoctor.rules.evidence.probes import Probed, probed
from gradoctor.rules.evidence.relapse import LEARNT, WITHIN, Relapse, relapsed, steady_rate
from gradoctor.rules.evidence.robust import bootstrap_difference, median
from gradoctor.rules.evidence.updates import bursts

NOISE = 2.0  # gradient signal over noise: 1 is pure noise, rates too low show 5 and more
ALIVE = 0.1  # of a hidden layer's output that differs from sample to sample
MOVED = 0.02
SHIFT = 0.2  # of the inputs' spread
PLAIN = ("addmm", "mm", "convolution")
"""What makes an output that nothing holds back: a norm or activation there has its own ills."""


@rule(proof="statistical", needs=("grad.snr", "act.centred_ratio", "lossfn.baseline"))
def labels_independent_of_inputs(run: Recording) -> Iterator[Finding]:
    """No better than a blind guess while everything else is in health.

    Hidden layers tell samples apart, weights move, and gradients of different batches cancel like
    noise: there is nothing to learn, or the labels belong to other rows. Suspect by itself: a task
    may be that hard. Labels that were learnt by heart later do not show. That the network learns
    eight samples by heart (probe overfit) shows its health as well as its layers do; that it cannot
    makes this a note.

    Or the loss was far down and from one step to the next back at the baseline, for good, though
    the rate stayed, the weights had hardly moved, and the inputs look as before: the labels have
    come apart from them there. The signal to noise still tells of the time before.

    Values: snr, loss, baseline, kind (never or lost), before
    """
    known = level(run)
    lost = relapsed(run)
    since, loss, kind = _since(run, lost)
    if known is None or since is None:
        return
    snr = recent_medians(run, "grad.snr").get(0)
    trial = probed(run, "overfit")
    able = trial is not None and trial.verdict == "memorises"
    if (
        snr is None
        or (snr > NOISE and kind == "never")
        or not _is_alive(run, able=able)
        or not _moves(run)
    ):
        return
    if not any(f.data.get("producer") in PLAIN for f in run.facts_of("loss_call", known.site.id)):
        return
    exclusions: tuple[Exclusion, ...] = (too_early(run, final=is_final(run)), warming_up(run))
    unable = trial is not None and trial.verdict == "stuck"
    yield Finding(
        level=Level.NOTE if unable or any(e.found for e in exclusions) else Level.SUSPECT,
        sites=(known.site.id,),
        first_step=since,
        last_step=int(known.steps[-1]),
        values={"snr": snr, "loss": loss, "baseline": known.baseline, "kind": kind,
                "before": lost.before},
        evidence=_evidence(snr, lost, trial),
        exclusions=as_pairs(exclusions),
    )  # fmt: skip


def _evidence(snr: float, lost: Relapse, trial: Probed | None) -> tuple[Evidence, ...]:
    noise = Evidence("grad.snr", snr, NOISE, "ratio")
    first = Evidence("loss.value", lost.after, lost.before, "loss") if lost.found else noise
    if trial is None or trial.verdict not in ("memorises", "stuck"):
        return (first,)
    return first, Evidence("probe.left", trial.number("left"), None, "fraction")


def _since(run: Recording, lost: Relapse) -> tuple[int | None, float, str]:
    """Since when the loss says nothing of the inputs (None: it does), its value, and which way."""
    if lost.found:
        return (lost.step if _alone(run, lost.step) else None), lost.after, "lost"
    known, outcome = level(run), stuck(run)
    if _falls(run):
        return None, float("nan"), "never"
    if known is not None and outcome.found:
        return outcome.since, known.baseline * (1.0 - outcome.value), "never"
    if (
        known is not None
        and learnt_nothing(run)
        and no_progress(run).found
        and _answers(run, known)
    ):
        return 0, known.baseline * (1.0 - known.now), "never"
    return None, float("nan"), "never"


def _answers(run: Recording, known: Known) -> bool:
    """It answers differently from sample to sample, and by more than a stirring head would."""
    ratio = recent_medians(run, "prediction.centred_ratio").get(known.site.id, 0.0)
    size = recent_medians(run, "prediction.rms").get(known.site.id, 0.0)
    scale = recent_medians(run, "target.std").get(known.site.id, 1.0) if known.regression else 1.0
    return ratio > ALIVE and size * ratio**0.5 > ALIVE * scale


def _alone(run: Recording, step: int) -> bool:
    """The loss rose at once, and neither the rate nor the weights nor the inputs did anything."""
    losses = loss_values(run)
    just_before = losses.values[(losses.steps < step) & (losses.steps >= step - 2)]
    if not len(just_before) or float(just_before.min()) > LEARNT * trivial_level(run):
        return False
    near = bursts(run).steps
    if ((near >= step - WITHIN) & (near <= step + WITHIN)).any() or not steady_rate(run, step):
        return False
    return all(_alike(run, site.id, step) for site in run.of_kind("input"))


def _alike(run: Recording, site: int, step: int) -> bool:
    """What was put in has the mean and the spread that it had before a step, as far as was seen."""
    mean, std = run.series("input.mean", site), run.series("input.std", site)
    parts = [(mean.values[mean.steps < step], mean.after(step).values),
             (std.values[std.steps < step], std.after(step).values)]  # fmt: skip
    scale = median(parts[1][0])
    return not any(
        len(old) and len(new) and abs(median(new) - median(old)) > SHIFT * scale
        for old, new in parts
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
