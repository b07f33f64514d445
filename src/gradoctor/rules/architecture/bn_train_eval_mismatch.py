"""Batch norm uses statistics in evaluation that are not those of the data."""

from __future__ import annotations

from collections.abc import Iterator

from gradoctor.recording import Recording
from gradoctor.records import Evidence, Finding, Level
from gradoctor.rules._rule import rule
from gradoctor.rules.architecture._norms import BatchNorm, batch_norms
from gradoctor.rules.evidence import UndecidedError, as_pairs, start_step
from gradoctor.rules.evidence.evaluation import Gap, gap, training_loss
from gradoctor.rules.evidence.exclusions import Exclusion
from gradoctor.rules.evidence.probes import Probed, probed, weighed
from gradoctor.rules.evidence.robust import median

STEPS = 50  # five times what the running mean needs to forget its start, at a momentum of 0.1
APART = 0.2  # of the loss in train mode: what the same batch must lose in eval mode


@rule(proof="statistical", needs=("fact:mode",))
def bn_train_eval_mismatch(run: Recording) -> Iterator[Finding]:
    """Running statistics are far from the batches', and evaluation is far worse than training.

    Mechanism: the median channel's mean is off by half a standard deviation, or its variance by a
    factor of two, beyond what chance makes of the batch's size; twice that in evaluation forwards,
    whose first batches may hold a single class. Harm: the evaluation loss is twice that of training
    and no better than half of blind guessing. Without harm a mismatch is no finding: running
    statistics lag behind in every run whose weights move fast.

    The probe train-eval confirms it: one batch through both modes, dropout off, whose losses differ
    by more than a fifth since a norm's statistics are not the batch's. Where the script does not
    evaluate, that and a mismatch of the run's own are enough; without one it is a suspicion. A run
    whose own evaluation is well has nothing of the kind.

    Values: count, mean_gap, var_gap, ratio, evaluated, trained, momentum
    """
    norms = batch_norms(run)
    if not norms:
        return
    difference, shown = gap(run), _shown(run)
    if difference is None and shown is None:
        raise UndecidedError("no-evaluation")
    if run.steps < STEPS:
        raise UndecidedError(f"too-short:{run.steps}/{STEPS}")
    off = [n for n in norms if n.off >= 1.0]
    if difference is not None and not difference.worse:
        return
    if difference is None or not off:
        if shown is not None:
            yield _by_probe(run, shown, norms, off)
        return
    worst = max(off, key=lambda n: n.off)
    exclusions = (
        Exclusion("unlike-input", _unlike(run)),
        Exclusion("too-early", _still_falling(run, difference)),
    )
    level = Level.SICK if difference.bad else Level.SUSPECT
    level = Level(max(Level.NOTE, level - sum(e.found for e in exclusions)))
    yield Finding(
        weighed(level, confirmed=shown is not None, refuted=False),
        (worst.site.id, *(n.site.id for n in off if n is not worst)), start_step(run),
        max(0, run.steps - 1),
        {
            "count": len(off), "mean_gap": worst.mean_gap, "var_gap": worst.var_gap,
            "ratio": difference.ratio, "evaluated": difference.evaluated,
            "trained": difference.trained, "momentum": worst.fact.data.get("momentum"),
        },
        (*_gaps(worst), Evidence("eval.loss", difference.ratio, 2.0, "ratio", difference.site.id)),
        as_pairs(exclusions),
    )  # fmt: skip


def _still_falling(run: Recording, difference: Gap) -> bool:
    """Over the passes that were judged training itself got on by a tenth of blind guessing.

    Its weights move so fast that running statistics cannot keep up; they do when it slows down.
    """
    losses = training_loss(run)
    before = median(losses.values[losses.steps <= difference.since][-10:])
    return before - median(losses.values[-10:]) > 0.1 * difference.baseline


def _shown(run: Recording) -> Probed | None:
    """The probe's answer, if it is that a norm makes of eval mode another function."""
    trial = probed(run, "train-eval")
    if trial is None or trial.verdict != "norm" or not trial.number("gap") > APART:
        return None
    return trial


def _by_probe(
    run: Recording, trial: Probed, norms: tuple[BatchNorm, ...], off: list[BatchNorm]
) -> Finding:
    """What the probe shows where evaluation has not shown it: one batch, the other loss."""
    named = [n for n in norms if n.site.name == trial.values.get("norm")] or off or norms[:1]
    site = named[0].site.id
    shift, scale = trial.number("shift"), abs(trial.number("scale"))
    trained, evaluated = trial.number("loss_train"), trial.number("loss_eval")
    return Finding(
        Level.SICK if off else Level.SUSPECT, (site,), start_step(run), max(0, run.steps - 1),
        {
            "count": max(1, len(off)), "mean_gap": shift, "var_gap": scale,
            "ratio": evaluated / trained, "evaluated": evaluated, "trained": trained,
            "momentum": trial.values.get("momentum"),
        },
        (
            Evidence("probe.gap", trial.number("gap"), APART, "ratio"),
            Evidence("probe.shift", shift, 0.5, "std", site),
            Evidence("probe.scale", scale, 1.0, "bits", site),
        ),
    )  # fmt: skip


def _gaps(norm: BatchNorm) -> tuple[Evidence, ...]:
    kind = "" if norm.trained >= norm.evaluated else "eval_"
    return (
        Evidence(f"norm.{kind}mean_gap", norm.mean_gap, 0.5, "std", norm.site.id),
        Evidence(f"norm.{kind}var_gap", norm.var_gap, 1.0, "bits", norm.site.id),
    )


def _unlike(run: Recording) -> bool:
    """Evaluation is given other inputs than training: its statistics cannot but differ."""
    for site in run.of_kind("input"):
        shift = run.series("input.eval_shift", site.id).values
        scale = run.series("input.eval_scale", site.id).values
        if len(shift) and len(scale) and (shift[-1] > 1.0 or abs(float(scale[-1])) > 1.0):
            return True
    return False
