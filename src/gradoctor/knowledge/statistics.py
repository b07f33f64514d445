"""The statistics: every name that capture may write and a rule may read.

The same string stands in the kernel, the run file, the rule and the page. All are float32; NaN
means "not observed at this step". ``look`` is the shallowest look that takes it: ``light`` (every
step), ``full`` (at the cadence the budget allows) or ``deep`` (operations, structure).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from gradoctor.records import SiteKind


@dataclass(frozen=True, slots=True)
class Statistic:
    """One statistic: which kinds of site have it, its unit, its meaning, and the look it needs."""

    name: str
    sites: tuple[SiteKind, ...]
    unit: str
    look: Literal["light", "full", "deep"]
    meaning: str


_ACT: tuple[SiteKind, ...] = ("module", "op")
_MOD: tuple[SiteKind, ...] = ("module",)
_PAR: tuple[SiteKind, ...] = ("parameter",)
_RUN: tuple[SiteKind, ...] = ("run",)
_FN: tuple[SiteKind, ...] = ("lossfn",)
_IN: tuple[SiteKind, ...] = ("input",)

_TABLE: tuple[Statistic, ...] = (
    # ---- run, every step
    Statistic("backward.count", _RUN, "calls", "light", "backward passes since the last step"),
    Statistic("clip.norm", _RUN, "", "light", "total gradient norm before clipping"),
    Statistic("clip.max_norm", _RUN, "", "light", "the bound given to the clipping call"),
    Statistic("scaler.scale", _RUN, "", "light", "GradScaler's scale"),
    Statistic("scaler.skipped", _RUN, "0/1", "light", "the scaler skipped the optimizer's step"),
    Statistic(
        "batch.size",
        _RUN,
        "samples",
        "light",
        "rows of the batch: of the loss function's prediction, else of the model's first input",
    ),
    Statistic("step.seconds", _RUN, "s", "light", "wall time since the last step boundary"),
    Statistic("own.seconds", _RUN, "s", "light", "gradoctor's share of step.seconds"),
    # ---- run, when looked at
    Statistic(
        "grad.norm",
        _RUN,
        "",
        "full",
        "L2 norm of all gradients as the optimizer sees them (after unscaling and clipping)",
    ),
    Statistic(
        "grad.cosine",
        _RUN,
        "cos",
        "full",
        "cosine of this and the previous step's gradient, on a fixed sample of the elements",
    ),
    Statistic(
        "grad.snr",
        _RUN,
        "ratio",
        "full",
        "sqrt(N)*|mean g|/rms|g| over the last N<=50 looks,"
        " on the same sample; about 1 for pure noise",
    ),
    Statistic(
        "update.predicted",
        _RUN,
        "loss",
        "full",
        "<gradient, update>: first-order change of the loss",
    ),
    # ---- optimizer
    Statistic("lr", ("optimizer",), "", "light", "largest learning rate of its groups"),
    # ---- loss: one site for each line that calls backward
    Statistic(
        "loss.value",
        ("loss",),
        "loss",
        "light",
        "mean of the roots of backward in this"
        " step, GradScaler's scale divided out; NaN when not finite",
    ),
    Statistic("loss.nonfinite", ("loss",), "code", "light", "0 finite, 1 NaN, 2 infinite"),
    # ---- loss functions (F.cross_entropy, nn.MSELoss, ...): one site for each calling line
    Statistic("lossfn.value", _FN, "loss", "full", "value it returned (mean if not reduced)"),
    Statistic(
        "lossfn.baseline",
        _FN,
        "loss",
        "full",
        "loss of the best predictor that ignores its"
        " input, from the targets so far (knowledge.baselines)",
    ),
    Statistic("lossfn.kl", _FN, "nat", "full", "KL(label marginal || mean prediction)"),
    Statistic(
        "lossfn.simplex",
        _FN,
        "fraction",
        "full",
        "rows of the prediction in [0,1] that sum to 1 within 1e-3",
    ),
    Statistic("lossfn.unit", _FN, "fraction", "full", "elements of the prediction in [0,1]"),
    Statistic(
        "lossfn.logprob",
        _FN,
        "fraction",
        "full",
        "rows that are log-probabilities: all <= 0 and exp sums to 1 within 1e-3",
    ),
    Statistic("prediction.mean", _FN, "", "full", "mean of the prediction"),
    Statistic("prediction.rms", _FN, "", "full", "root mean square of the prediction"),
    Statistic(
        "prediction.centred_ratio",
        _FN,
        "ratio",
        "full",
        "Var over the batch / E[(logit -"
        " row mean)^2] (classification) or Var over the batch / E[y^2]: 0 = constant output",
    ),
    Statistic("target.mean", _FN, "", "full", "mean of the target"),
    Statistic("target.std", _FN, "", "full", "standard deviation of the target"),
    Statistic("target.min", _FN, "", "full", "smallest target, ignored ones left out"),
    Statistic("target.max", _FN, "", "full", "largest target, ignored ones left out"),
    Statistic("target.nonfinite", _FN, "count", "full", "NaN or infinite targets"),
    Statistic("target.hash", _FN, "", "full", "24-bit hash of the target batch"),
    Statistic("target.ignored", _FN, "fraction", "full", "class labels equal to ignore_index"),
    Statistic(
        "target.outside",
        _FN,
        "fraction",
        "full",
        "targets outside the range of the activation that made the prediction",
    ),
    Statistic(
        "target.beyond", _FN, "", "full", "mean square of how far targets lie outside that range"
    ),
    Statistic(
        "lossfn.coefficient",
        _FN,
        "ratio",
        "full",
        "derivative of the root of backward with respect to the mean loss of a term: 1 when the"
        " mean is the root, N for a sum of N terms",
    ),
    Statistic("lossfn.logz", _FN, "", "full", "cross entropy: mean logsumexp of the logits"),
    # labels of tokens beside the ids [batch, time] that went into the model
    Statistic("label.copy", _FN, "fraction", "full", "labels[t] == ids[t]"),
    Statistic("label.next", _FN, "fraction", "full", "labels[t] == ids[t+1]"),
    Statistic("label.after_next", _FN, "fraction", "full", "labels[t] == ids[t+2]"),
    Statistic("label.previous", _FN, "fraction", "full", "labels[t] == ids[t-1]"),
    Statistic(
        "label.padding", _FN, "fraction", "full", "labels that count and are the ids' padding"
    ),
    # classes of single labels (not of tokens), old batches fading at 0.9 a look
    Statistic(
        "class.imbalance",
        _FN,
        "ratio",
        "full",
        "most frequent over least frequent class of the labels so far",
    ),
    Statistic(
        "class.rare_recall",
        _FN,
        "fraction",
        "full",
        "share of the rare classes' samples (ten times rarer than the most frequent) that are"
        " predicted right",
    ),
    Statistic(
        "class.frequent_recall", _FN, "fraction", "full", "the same of the most frequent class"
    ),
    Statistic(
        "class.rare_share", _FN, "ratio", "full", "predictions of rare classes over their labels"
    ),
    Statistic("class.rare_seen", _FN, "samples", "full", "labels of rare classes in the tally"),
    # of single labels of 4 to 64 classes, old batches fading at 0.9 a look
    Statistic(
        "label.contradicted",
        _FN,
        "fraction",
        "full",
        "labels that got less than a tenth of the probability of a class that got half or more",
    ),
    Statistic(
        "label.undecided",
        _FN,
        "fraction",
        "full",
        "labels neither contradicted nor predicted with half of the probability or more",
    ),
    Statistic(
        "label.doubt_pattern",
        _FN,
        "nat",
        "full",
        "what the predicted class tells of the contradicted label beyond the classes' frequencies:"
        " 0 where labels were changed at random",
    ),
    Statistic("label.entropy", _FN, "nat", "full", "entropy of the labels in this batch"),
    Statistic(
        "label.expected_entropy",
        _FN,
        "nat",
        "full",
        "what label.entropy would be on average"
        " if the batch were drawn at random from the labels seen so far",
    ),
    # ---- input: the first tensor given to each top-level model in training
    Statistic("input.mean", _IN, "", "full", "mean"),
    Statistic("input.std", _IN, "", "full", "standard deviation over everything"),
    Statistic("input.absmax", _IN, "", "full", "largest magnitude"),
    Statistic("input.nonfinite", _IN, "count", "full", "NaN or infinite elements"),
    Statistic("input.hash", _IN, "", "full", "24-bit hash of the batch"),
    Statistic("input.duplicates", _IN, "fraction", "full", "rows equal to another of the batch"),
    Statistic(
        "input.feature_mean",
        _IN,
        "",
        "full",
        "largest |mean| of a feature (channel) over the samples so far",
    ),
    Statistic(
        "input.feature_std", _IN, "", "full", "largest std of a feature over the samples so far"
    ),
    Statistic(
        "input.feature_offset",
        _IN,
        "ratio",
        "full",
        "largest |mean|/std of a feature that is not constant",
    ),
    Statistic(
        "input.feature_spread",
        _IN,
        "ratio",
        "full",
        "largest std over smallest non-zero std of the features",
    ),
    Statistic("input.samples", _IN, "samples", "full", "samples seen so far"),
    Statistic(
        "input.padding",
        _IN,
        "fraction",
        "full",
        "ids [batch, time] in the run of equal ids that most rows end in",
    ),
    # ---- input of a model that is given data and what another model made, one batch of each
    Statistic(
        "samples.diversity",
        _IN,
        "ratio",
        "full",
        "standard deviation over the generated batch over that over the batch of data",
    ),
    Statistic(
        "samples.distance",
        _IN,
        "std",
        "full",
        "distance of the two batches' means over the standard deviation of the data",
    ),
    Statistic(
        "samples.separation",
        _IN,
        "fraction",
        "full",
        "pairs of a real and a generated sample of which the model gives the real one more",
    ),
    # ---- input, in the evaluation forwards that are looked at
    Statistic(
        "input.eval_shift",
        _IN,
        "std",
        "full",
        "median over features of |mean in evaluation - mean in training| / std in training",
    ),
    Statistic(
        "input.eval_scale",
        _IN,
        "bits",
        "full",
        "median over features of log2(std in evaluation / std in training)",
    ),
    Statistic("input.eval_samples", _IN, "samples", "full", "evaluation samples seen so far"),
    # ---- evaluation: one site for each place that calls a loss function outside training
    Statistic(
        "eval.loss",
        _FN,
        "loss",
        "light",
        "mean of an evaluation pass, by samples; given with the step that follows it",
    ),
    Statistic(
        "eval.accuracy",
        _FN,
        "fraction",
        "light",
        "right answers among the samples of the pass's first batches (classification)",
    ),
    Statistic("eval.samples", _FN, "samples", "light", "samples of the pass"),
    # ---- batch norm: running statistics against those of a batch (medians over channels)
    Statistic(
        "norm.mean_gap", _MOD, "std", "full", "|running mean - batch mean| / std, in training"
    ),
    Statistic(
        "norm.var_gap", _MOD, "bits", "full", "|log2(batch / running variance)|, in training"
    ),
    Statistic("norm.var_ratio", _MOD, "bits", "full", "the same with its sign"),
    Statistic("norm.eval_mean_gap", _MOD, "std", "full", "norm.mean_gap in evaluation"),
    Statistic("norm.eval_var_gap", _MOD, "bits", "full", "norm.var_gap in evaluation"),
    Statistic("norm.eval_var_ratio", _MOD, "bits", "full", "norm.var_ratio in evaluation"),
    # ---- any norm
    Statistic("norm.eps_share", _MOD, "fraction", "full", "eps / (variance + eps), median"),
    Statistic("norm.small_gain", _MOD, "fraction", "full", "gains of a magnitude below 0.01"),
    # ---- activations: outputs of leaf modules and of functional activations
    Statistic("act.rms", _ACT, "", "full", "root mean square of the output"),
    Statistic("act.absmax", _ACT, "", "full", "largest magnitude; exact; NaN shows in nonfinite"),
    Statistic("act.nonfinite", _ACT, "0/1", "full", "the output has a NaN or infinity"),
    Statistic("act.mean", _ACT, "", "full", "mean (sampled)"),
    Statistic("act.zero_fraction", _ACT, "fraction", "full", "exact zeros (sampled)"),
    Statistic(
        "act.centred_ratio",
        _ACT,
        "ratio",
        "full",
        "rms(y - mean over the batch)/rms(y): 0 = the output does not depend on the sample",
    ),
    Statistic("act.similarity", _ACT, "cos", "full", "mean cosine between samples' outputs"),
    Statistic(
        "act.saturated_fraction",
        _ACT,
        "fraction",
        "full",
        "tanh beyond +-0.97, sigmoid outside [0.03, 0.97] (only those activations)",
    ),
    Statistic(
        "act.gain_loss",
        _ACT,
        "bits",
        "full",
        "-log2 of rms(phi') over its value at N(0,1) input (sigmoid .212, tanh .681)",
    ),
    Statistic(
        "act.dead_fraction",
        _ACT,
        "fraction",
        "full",
        "units that were 0 for every sample of"
        " a sliding window of >= 20 looks and >= 2000 samples (ReLU-like only)",
    ),
    Statistic(
        "act.dormant_fraction",
        _ACT,
        "fraction",
        "full",
        "units whose mean magnitude is <= 2.5 % of the layer's (activations without upper bound)",
    ),
    Statistic(
        "act.token_ratio",
        _ACT,
        "ratio",
        "deep",
        "[batch, positions, features]: rms(y - mean over positions)/rms(y): 0 = all positions alike",
    ),
    Statistic(
        "attention.entropy",
        _ACT,
        "",
        "full",
        "mean entropy of attention rows over the log of the keys they may see (sampled)",
    ),
    Statistic(
        "attention.logit_max",
        _ACT,
        "",
        "full",
        "largest magnitude of an attention logit that no mask hides (sampled)",
    ),
    Statistic("stream.rms", ("op",), "", "deep", "residual sums: rms of the stream after it"),
    Statistic(
        "stream.branch", ("op",), "ratio", "deep", "residual sums: rms of the branch over the sum's"
    ),
    Statistic(
        "router.load_max",
        ("op",),
        "fraction",
        "full",
        "largest share of the choices that one expert got, over the last 20 looks",
    ),
    Statistic(
        "router.starved",
        ("op",),
        "fraction",
        "full",
        "experts that got less than a tenth of an equal share, over the last 20 looks",
    ),
    # ---- latent distributions: mean + std * noise, both computed from the sample
    Statistic(
        "latent.kl",
        ("op",),
        "nat",
        "full",
        "divergence from N(0, 1), summed over dimensions, mean over the batch",
    ),
    Statistic(
        "latent.collapsed",
        ("op",),
        "fraction",
        "full",
        "dimensions in which that is below 0.01 nats",
    ),
    Statistic(
        "latent.active",
        ("op",),
        "fraction",
        "full",
        "dimensions whose mean varies over the batch by more than 0.01 (variance)",
    ),
    # ---- embeddings [batch, features] that are compared by angle
    Statistic(
        "embedding.spread",
        ("op",),
        "",
        "full",
        "root of the variance of the normalised rows over the batch, summed over dimensions:"
        " 1 = directions cancel, 0 = all the same",
    ),
    Statistic(
        "embedding.rank",
        ("op",),
        "dims",
        "full",
        "dimensions that variance is spread over: (trace C)^2 / trace C^2 of the covariance",
    ),
    Statistic(
        "act.headroom",
        _ACT,
        "bits",
        "full",
        "float16 outputs: log2(65504 / largest magnitude), -1 where it is not finite",
    ),
    Statistic("actgrad.rms", _ACT, "", "full", "rms of the loss's gradient w.r.t. the output"),
    Statistic("actgrad.absmax", _ACT, "", "full", "its largest magnitude"),
    Statistic("actgrad.nonfinite", _ACT, "0/1", "full", "it has a NaN or infinity"),
    Statistic("actgrad.zero_fraction", _ACT, "fraction", "full", "its exact zeros (sampled)"),
    Statistic(
        "actgrad.subnormal_fraction",
        _ACT,
        "fraction",
        "full",
        "float16 gradients as backward has them (scaled): of the elements that are not zero"
        " those below 2^-14",
    ),
    Statistic(
        "actgrad.flushed_fraction",
        _ACT,
        "fraction",
        "full",
        "float16 gradients: elements that were rounded to zero, at the least, of these and"
        " those that are not zero",
    ),
    Statistic(
        "time.slope",
        ("module",),
        "bits/step",
        "deep",
        "recurrent modules: slope of log2 rms of dL/dx_t (cells: dL/dh_t)"
        " against t, positive when early steps get less",
    ),
    Statistic("time.length", ("module",), "steps", "deep", "recurrent modules: sequence length"),
    # ---- parameters
    Statistic("weight.rms", _PAR, "", "full", "root mean square"),
    Statistic("weight.absmax", _PAR, "", "full", "largest magnitude"),
    Statistic("weight.nonfinite", _PAR, "0/1", "full", "it has a NaN or infinity"),
    Statistic("weight.movement", _PAR, "ratio", "full", "|W - W0|/|W0| on a fixed sample"),
    Statistic("grad.rms", _PAR, "", "full", "rms of the gradient as the optimizer sees it"),
    Statistic("grad.absmax", _PAR, "", "full", "its largest magnitude; 0 means exactly zero"),
    Statistic("grad.nonfinite", _PAR, "0/1", "full", "it has a NaN or infinity"),
    Statistic("grad.zero_fraction", _PAR, "fraction", "full", "its exact zeros (sampled)"),
    Statistic("update.rms", _PAR, "", "full", "rms of new - old with weight decay taken out"),
    Statistic("update.ratio", _PAR, "ratio", "full", "update.rms / weight.rms"),
    Statistic("update.decay_rms", _PAR, "", "full", "rms of lr * weight_decay * w"),
    Statistic(
        "update.lost_fraction",
        _PAR,
        "fraction",
        "full",
        "elements with a gradient whose bits did not change (bf16 and fp16 parameters)",
    ),
    Statistic(
        "moment.epsilon_share",
        _PAR,
        "fraction",
        "full",
        "elements with a gradient whose second moment's root is below ten epsilon (sampled)",
    ),
    Statistic(
        "moment.surprise",
        _PAR,
        "ratio",
        "full",
        "sqrt(mean(g^2 / max(v, eps^2))), v the optimizer's second moment after the step (sampled)",
    ),
    Statistic(
        "update.progress", _PAR, "share", "full", "|<g, update>| over its sum over all parameters"
    ),
)

STATISTICS: dict[str, Statistic] = {s.name: s for s in _TABLE}
