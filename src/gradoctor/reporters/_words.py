"""The words for measured things: statistics, units, levels, benign contexts, skipped checks."""

from __future__ import annotations

import math

from gradoctor.knowledge.figures import figure
from gradoctor.knowledge.language import N_, Translator
from gradoctor.knowledge.statistics import STATISTICS
from gradoctor.records import Evidence, Skipped

LEVELS = {
    "note": N_("note"),
    "suspect": N_("suspect"),
    "sick": N_("sick"),
    "confirmed": N_("confirmed"),
}

# What a statistic is called; with a unit where a rule compares it rather than reads it.
STATISTIC_WORDS: dict[tuple[str, str] | str, str] = {
    ("actgrad.rms", "bits"): N_("gradient, first layer against last"),
    ("actgrad.rms", "bits/layer"): N_("gradient, change from layer to layer"),
    ("actgrad.rms", "R2"): N_("how evenly it changes with depth (R2)"),
    ("act.rms", "bits/layer"): N_("signal, change from layer to layer"),
    ("update.ratio", "share"): N_("weight update, against the best layer"),
    ("weight.movement", "share"): N_("weights moved, against the best layer"),
    ("lossfn.value", "r"): N_("gain of the loss over blind guessing"),
    ("lossfn.value", "ratio"): N_("loss, against blind guessing"),
    ("grad.norm", "ratio"): N_("gradient norm, against its usual size"),
    ("loss.value", "MAD"): N_("height of the loss spike"),
    ("loss.value", "of baseline/100 steps"): N_("fall of the loss in 100 steps"),
    ("label.entropy", "ratio"): N_("variety of labels in a batch, against chance"),
    ("grad.rms", "ratio"): N_("gradient of the bias, against its weight's"),
    ("target.std", "bits"): N_("targets, against the first predictions"),
    ("input.hash", "steps"): N_("looks in a row at the same batch"),
    ("loss.nonfinite", "steps"): N_("steps whose loss is not finite"),
    # Counts and shares that rules make of facts.
    "broadcast.numel": N_("values after broadcasting, against the batch"),
    "clip.misplaced": N_("steps with clipping out of place"),
    "dropout.p": N_("rate of the dropout"),
    "error.no_grad_fn": N_("backward calls without a graph"),
    "init.clones_later": N_("units that are still copies of others"),
    "loss_call.classes": N_("outputs, against the classes that occur"),
    "loss_call.multi_label": N_("targets with several ones in a row"),
    "mode.eval": N_("training forwards in eval mode, in a row"),
    "optimizer.orphans": N_("tensors held that no model uses"),
    "optimizer.steps_without_backward": N_("steps without a backward before them"),
    "scaler.misuse": N_("steps with the scaler's calls out of order"),
    "unregistered.parameters": N_("parameters that the model does not know"),
    "wiring.stale": N_("steps that used gradients not cleared"),
    "wiring.unowned": N_("tensors with gradients and no optimizer"),
    "wiring.without_gradient": N_("tensors that no gradient reaches"),
    "backward.count": N_("backward passes a step"),
    "clip.norm": N_("gradient norm before clipping"),
    "clip.max_norm": N_("bound of the clipping"),
    "scaler.scale": N_("loss scale"),
    "scaler.skipped": N_("steps skipped by the scaler"),
    "batch.size": N_("batch size"),
    "step.seconds": N_("time of a step"),
    "own.seconds": N_("time spent watching"),
    "grad.norm": N_("gradient norm"),
    "grad.cosine": N_("cosine of this gradient and the one before"),
    "grad.snr": N_("gradient's signal over its noise"),
    "update.predicted": N_("predicted change of the loss"),
    "lr": N_("learning rate"),
    "loss.value": N_("loss"),
    "loss.nonfinite": N_("loss is not finite"),
    "lossfn.value": N_("loss"),
    "lossfn.baseline": N_("loss of blind guessing"),
    "lossfn.kl": N_("distance of predictions from label frequencies"),
    "lossfn.simplex": N_("predictions that are probabilities already"),
    "lossfn.unit": N_("predictions between 0 and 1"),
    "lossfn.logprob": N_("predictions that are log-probabilities"),
    "prediction.mean": N_("mean prediction"),
    "prediction.rms": N_("size of the predictions"),
    "prediction.centred_ratio": N_("how far predictions differ by sample"),
    "target.mean": N_("mean target"),
    "target.std": N_("spread of the targets"),
    "target.min": N_("smallest target"),
    "target.max": N_("largest target"),
    "target.nonfinite": N_("targets that are not finite"),
    "target.hash": N_("fingerprint of the targets"),
    "label.entropy": N_("variety of labels in a batch"),
    "label.expected_entropy": N_("variety of labels expected by chance"),
    "input.mean": N_("mean input"),
    "input.std": N_("spread of the input"),
    "input.absmax": N_("largest input"),
    "input.nonfinite": N_("inputs that are not finite"),
    "input.hash": N_("fingerprint of the input"),
    "input.duplicates": N_("equal samples in a batch"),
    "input.feature_mean": N_("largest mean of an input feature"),
    "input.feature_std": N_("largest spread of an input feature"),
    "input.feature_offset": N_("largest mean over spread of an input feature"),
    "input.feature_spread": N_("widest over narrowest input feature"),
    "input.samples": N_("samples seen"),
    "act.rms": N_("size of the output"),
    "act.absmax": N_("largest output"),
    "act.nonfinite": N_("output is not finite"),
    "act.mean": N_("mean output"),
    "act.zero_fraction": N_("outputs that are zero"),
    "act.centred_ratio": N_("how far outputs differ by sample"),
    "act.similarity": N_("likeness of the outputs for different samples"),
    "act.saturated_fraction": N_("saturated units"),
    "act.gain_loss": N_("slope lost in the activation"),
    "act.dead_fraction": N_("dead units"),
    "actgrad.rms": N_("gradient at the output"),
    "actgrad.absmax": N_("largest gradient at the output"),
    "actgrad.nonfinite": N_("gradient is not finite"),
    "actgrad.zero_fraction": N_("gradients that are zero"),
    "time.slope": N_("gradient, change from time step to time step"),
    "time.length": N_("length of the sequence"),
    "weight.rms": N_("size of the weights"),
    "weight.absmax": N_("largest weight"),
    "weight.nonfinite": N_("weights are not finite"),
    "weight.movement": N_("distance of the weights from their start"),
    "grad.rms": N_("gradient of the weights"),
    "grad.absmax": N_("largest gradient of the weights"),
    "grad.nonfinite": N_("gradient of the weights is not finite"),
    "grad.zero_fraction": N_("gradients of the weights that are zero"),
    "update.rms": N_("size of the update"),
    "update.ratio": N_("weight update over weight"),
    "update.decay_rms": N_("size of the weight decay"),
    "update.lost_fraction": N_("updates lost to rounding"),
    "update.progress": N_("share of the progress"),
}

# Benign contexts that the evidence protocol looks for (B1 to B16, and those of single rules).
CONTEXT_WORDS = {
    "class-weights": N_("class weights"),
    "converged": N_("already converged"),
    "dropout": N_("dropout"),
    "embedding": N_("embedding"),
    "evaluation": N_("evaluation"),
    "fine-tuning": N_("fine-tuning"),
    "followed-by-norm": N_("followed by a norm"),
    "frozen": N_("frozen on purpose"),
    "gradient-accumulation": N_("gradient accumulation"),
    "own-sampler": N_("a sampler of its own"),
    "relu-sparsity": N_("ordinary ReLU sparsity"),
    "scaler-skips": N_("the scaler finding its scale"),
    "schedule-tail": N_("end of the learning-rate schedule"),
    "several-losses": N_("several losses"),
    "tied-weights": N_("tied weights"),
    "tiny-tensor": N_("tiny tensor"),
    "too-early": N_("too early to tell"),
    "unscaled-input": N_("unscaled input"),
    "updates-lost": N_("updates lost to rounding"),
    "vanishing": N_("vanishing gradient"),
    "warm-up": N_("warm-up"),
    "zero-initialised-branch": N_("zero-initialised branch"),
}

# Why a check did not run: the key before the colon of ``Skipped.why``.
REASON_WORDS = {
    "error": N_("the check itself failed"),
    "missing": N_("does not apply"),
    "no-baseline": N_("no loss with a known baseline"),
    "no-labels": N_("no labels seen"),
    "several-losses": N_("several losses"),
    "structured-labels": N_("labels are no plain classes"),
    "sum-reduction": N_("the loss is a sum"),
    "too-short": N_("run too short"),
}

# Units that are said aloud; others are left out or change how a figure is written.
UNIT_WORDS = {
    "bits": N_("bits"),
    "bits/layer": N_("bits a layer"),
    "bits/step": N_("bits a step"),
    "calls": N_("calls"),
    "MAD": N_("times the usual noise"),
    "nat": N_("nats"),
    "samples": N_("samples"),
    "steps": N_("steps"),
    "s": N_("s"),
}
_PERCENT = {"fraction", "share", "r", "of baseline/100 steps"}
_YES_NO = {"0/1"}
# Spans in bits are compared by rules; a reader understands the factor.
_FACTORS = {"actgrad.rms", "act.rms", "grad.rms", "target.std"}


def statistic_words(evidence: Evidence, _: Translator) -> str:
    """What was measured, in words; the statistic's own name when it has none."""
    known = STATISTIC_WORDS.get(
        (evidence.statistic, evidence.unit), STATISTIC_WORDS.get(evidence.statistic)
    )
    return _(known) if known else evidence.statistic


def measured(value: float | None, evidence: Evidence, _: Translator) -> str:
    """A value of this evidence (its figure or its limit) with its unit, as one reads it aloud."""
    if value is None or not math.isfinite(value):
        return figure(value)
    unit = unit_of(evidence)
    if unit == "bits" and evidence.statistic in _FACTORS:
        return figure(float(f"{2.0**value:.1e}")) if abs(value) < 1000 else f"2^{figure(value)}"
    if unit in _PERCENT:
        return percent(value)
    if unit in _YES_NO:
        return _("yes") if value else _("no")
    words = UNIT_WORDS.get(unit)
    return f"{figure(value)} {_(words)}" if words else figure(value)


def unit_of(evidence: Evidence) -> str:
    """The unit a rule gave, else the statistic's own."""
    if evidence.unit or evidence.statistic not in STATISTICS:
        return evidence.unit
    return STATISTICS[evidence.statistic].unit


def percent(share: float) -> str:
    """A share as a percentage of two or three digits."""
    hundredths = share * 100
    if hundredths and abs(hundredths) < 0.01:
        return "<0.01%" if hundredths > 0 else ">-0.01%"
    if abs(hundredths) >= 1000:
        return f"{figure(hundredths)}%"
    return f"{hundredths:.3g}%" if abs(hundredths) < 99.95 else f"{hundredths:.0f}%"


def context_words(name: str, _: Translator) -> str:
    """A benign context in words."""
    known = CONTEXT_WORDS.get(name)
    return _(known) if known else name.replace("-", " ")


def reason_words(skipped: Skipped, _: Translator, *, details: bool) -> str:
    """Why a check did not run; in short, or with what was missing."""
    key, colon, rest = skipped.why.partition(":")
    if key not in REASON_WORDS:
        return skipped.why
    said = _(REASON_WORDS[key])
    return f"{said} ({rest.strip()})" if details and colon else said
