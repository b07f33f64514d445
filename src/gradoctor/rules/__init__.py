"""The ledger of rules: the only place that knows their codes.

A rule is one pure function in one file, ``rules/<family>/<name>.py``; its import and its line here
are its registration. Both lists are sorted. Codes never change meaning; one that is given up moves
to ``RETIRED`` with its heir.

Families: gradients 1xx, activations 2xx, initialisation 3xx, optimisation 4xx (schedule, clipping),
losses 5xx, data 6xx, numerics 7xx, architecture 8xx, wiring 9xx; outcome holds 417 and 509.
"""

from __future__ import annotations

from gradoctor.rules._rule import Rule
from gradoctor.rules.activations.activation_explosion_in_depth import activation_explosion_in_depth
from gradoctor.rules.activations.attention_entropy_collapse import attention_entropy_collapse
from gradoctor.rules.activations.attention_logit_growth import attention_logit_growth
from gradoctor.rules.activations.attention_uniform import attention_uniform
from gradoctor.rules.activations.constant_output_collapse import constant_output_collapse
from gradoctor.rules.activations.dead_relu import dead_relu
from gradoctor.rules.activations.dormant_units import dormant_units
from gradoctor.rules.activations.massive_activations import massive_activations
from gradoctor.rules.activations.missing_nonlinearity import missing_nonlinearity
from gradoctor.rules.activations.non_zero_centred_activations import non_zero_centred_activations
from gradoctor.rules.activations.prelu_degenerate import prelu_degenerate
from gradoctor.rules.activations.rank_collapse import rank_collapse
from gradoctor.rules.activations.saturated_activation import saturated_activation
from gradoctor.rules.architecture.bias_before_norm import bias_before_norm
from gradoctor.rules.architecture.bn_frozen_mismatch import bn_frozen_mismatch
from gradoctor.rules.architecture.bn_small_batch import bn_small_batch
from gradoctor.rules.architecture.bn_train_eval_mismatch import bn_train_eval_mismatch
from gradoctor.rules.architecture.dropout_before_bn import dropout_before_bn
from gradoctor.rules.architecture.dropout_misuse import dropout_misuse
from gradoctor.rules.architecture.lrn_semantics import lrn_semantics
from gradoctor.rules.architecture.missing_skip_or_norm import missing_skip_or_norm
from gradoctor.rules.architecture.moe_router_collapse import moe_router_collapse
from gradoctor.rules.architecture.norm_eps_dominates import norm_eps_dominates
from gradoctor.rules.architecture.norm_gain_collapse import norm_gain_collapse
from gradoctor.rules.architecture.over_regularised import over_regularised
from gradoctor.rules.architecture.post_norm_deep_no_warmup import post_norm_deep_no_warmup
from gradoctor.rules.architecture.tying_broken import tying_broken
from gradoctor.rules.data.batch_too_large import batch_too_large
from gradoctor.rules.data.batch_too_small import batch_too_small
from gradoctor.rules.data.class_imbalance import class_imbalance
from gradoctor.rules.data.input_unnormalised import input_unnormalised
from gradoctor.rules.data.label_noise import label_noise
from gradoctor.rules.data.labels_independent_of_inputs import labels_independent_of_inputs
from gradoctor.rules.data.last_batch_of_one import last_batch_of_one
from gradoctor.rules.data.nonfinite_or_constant_input import nonfinite_or_constant_input
from gradoctor.rules.data.not_shuffled import not_shuffled
from gradoctor.rules.data.outlier_batch import outlier_batch
from gradoctor.rules.data.overfitting import overfitting
from gradoctor.rules.data.padding_dominated import padding_dominated
from gradoctor.rules.data.preprocessing_mismatch import preprocessing_mismatch
from gradoctor.rules.data.repeated_batch import repeated_batch
from gradoctor.rules.data.sampler_epoch_unset import sampler_epoch_unset
from gradoctor.rules.gradients.bn_depth_gradient_explosion import bn_depth_gradient_explosion
from gradoctor.rules.gradients.exploding_gradient import exploding_gradient
from gradoctor.rules.gradients.gradient_cliff import gradient_cliff
from gradoctor.rules.gradients.gradient_spike import gradient_spike
from gradoctor.rules.gradients.recurrent_gradient_decay import recurrent_gradient_decay
from gradoctor.rules.gradients.residual_branch_starvation import residual_branch_starvation
from gradoctor.rules.gradients.vanishing_gradient import vanishing_gradient
from gradoctor.rules.gradients.zero_gradient_exact import zero_gradient_exact
from gradoctor.rules.initialisation.activation_init_mismatch import activation_init_mismatch
from gradoctor.rules.initialisation.cloned_layers import cloned_layers
from gradoctor.rules.initialisation.constant_init_symmetry import constant_init_symmetry
from gradoctor.rules.initialisation.init_gain_too_large import init_gain_too_large
from gradoctor.rules.initialisation.init_gain_too_small import init_gain_too_small
from gradoctor.rules.initialisation.initial_loss_mismatch import initial_loss_mismatch
from gradoctor.rules.initialisation.lstm_forget_bias import lstm_forget_bias
from gradoctor.rules.initialisation.off_edge_of_chaos import off_edge_of_chaos
from gradoctor.rules.initialisation.residual_scale_growth import residual_scale_growth
from gradoctor.rules.initialisation.tied_embedding_scale import tied_embedding_scale
from gradoctor.rules.initialisation.zero_init_symmetry import zero_init_symmetry
from gradoctor.rules.losses.bce_range import bce_range
from gradoctor.rules.losses.broadcast_regression import broadcast_regression
from gradoctor.rules.losses.double_softmax import double_softmax
from gradoctor.rules.losses.gan_failure import gan_failure
from gradoctor.rules.losses.ignored_targets import ignored_targets
from gradoctor.rules.losses.label_range import label_range
from gradoctor.rules.losses.logit_drift import logit_drift
from gradoctor.rules.losses.logits_into_nll import logits_into_nll
from gradoctor.rules.losses.loss_term_imbalance import loss_term_imbalance
from gradoctor.rules.losses.mse_for_classification import mse_for_classification
from gradoctor.rules.losses.output_activation_mismatch import output_activation_mismatch
from gradoctor.rules.losses.posterior_collapse import posterior_collapse
from gradoctor.rules.losses.reduction_mistake import reduction_mistake
from gradoctor.rules.losses.rmse_sqrt_singularity import rmse_sqrt_singularity
from gradoctor.rules.losses.shifted_labels import shifted_labels
from gradoctor.rules.losses.ssl_representation_collapse import ssl_representation_collapse
from gradoctor.rules.losses.target_unscaled import target_unscaled
from gradoctor.rules.numerics.bf16_stagnation import bf16_stagnation
from gradoctor.rules.numerics.fp16_gradient_underflow import fp16_gradient_underflow
from gradoctor.rules.numerics.fp16_overflow import fp16_overflow
from gradoctor.rules.numerics.gradscaler_collapse import gradscaler_collapse
from gradoctor.rules.numerics.gradscaler_misuse import gradscaler_misuse
from gradoctor.rules.numerics.half_precision_optimizer_state import half_precision_optimizer_state
from gradoctor.rules.numerics.half_precision_reduction import half_precision_reduction
from gradoctor.rules.numerics.nan_inf_origin import nan_inf_origin
from gradoctor.rules.numerics.nan_swallowed import nan_swallowed
from gradoctor.rules.numerics.unstable_op import unstable_op
from gradoctor.rules.optimisation.accumulating_preconditioner import accumulating_preconditioner
from gradoctor.rules.optimisation.adam_epsilon_dominance import adam_epsilon_dominance
from gradoctor.rules.optimisation.adam_stale_second_moment import adam_stale_second_moment
from gradoctor.rules.optimisation.coupled_l2_in_adam import coupled_l2_in_adam
from gradoctor.rules.optimisation.fresh_optimizer_state import fresh_optimizer_state
from gradoctor.rules.optimisation.large_effective_lr import large_effective_lr
from gradoctor.rules.optimisation.loss_of_plasticity import loss_of_plasticity
from gradoctor.rules.optimisation.loss_spike import loss_spike
from gradoctor.rules.optimisation.lr_too_high_divergence import lr_too_high_divergence
from gradoctor.rules.optimisation.lr_too_high_oscillation import lr_too_high_oscillation
from gradoctor.rules.optimisation.lr_too_low import lr_too_low
from gradoctor.rules.optimisation.missing_warmup import missing_warmup
from gradoctor.rules.optimisation.rprop_with_minibatches import rprop_with_minibatches
from gradoctor.rules.optimisation.sharpness_above_threshold import sharpness_above_threshold
from gradoctor.rules.optimisation.update_ratio_imbalance import update_ratio_imbalance
from gradoctor.rules.optimisation.weight_decay_dominates import weight_decay_dominates
from gradoctor.rules.outcome.loss_plateau import loss_plateau
from gradoctor.rules.outcome.stuck_at_baseline import stuck_at_baseline
from gradoctor.rules.outcome.underfitting import underfitting
from gradoctor.rules.schedule.clip_always_active import clip_always_active
from gradoctor.rules.schedule.clip_misplaced import clip_misplaced
from gradoctor.rules.schedule.lr_schedule_misuse import lr_schedule_misuse
from gradoctor.rules.wiring.accumulation_unscaled import accumulation_unscaled
from gradoctor.rules.wiring.detached_graph import detached_graph
from gradoctor.rules.wiring.double_step import double_step
from gradoctor.rules.wiring.edited_weights import edited_weights
from gradoctor.rules.wiring.eval_mode_while_training import eval_mode_while_training
from gradoctor.rules.wiring.frozen_but_moving import frozen_but_moving
from gradoctor.rules.wiring.frozen_by_accident import frozen_by_accident
from gradoctor.rules.wiring.graph_retention import graph_retention
from gradoctor.rules.wiring.leakage import leakage
from gradoctor.rules.wiring.missing_zero_grad import missing_zero_grad
from gradoctor.rules.wiring.param_not_in_optimizer import param_not_in_optimizer
from gradoctor.rules.wiring.repeated_layer import repeated_layer
from gradoctor.rules.wiring.stale_optimizer_params import stale_optimizer_params
from gradoctor.rules.wiring.step_missing import step_missing
from gradoctor.rules.wiring.train_mode_while_evaluating import train_mode_while_evaluating
from gradoctor.rules.wiring.unregistered_submodules import unregistered_submodules
from gradoctor.rules.wiring.unused_module import unused_module

__all__ = ["RETIRED", "RULES", "Rule"]

RULES: dict[str, Rule] = {
    "GD101": vanishing_gradient,
    "GD102": exploding_gradient,
    "GD103": gradient_cliff,
    "GD104": zero_gradient_exact,
    "GD106": bn_depth_gradient_explosion,
    "GD108": recurrent_gradient_decay,
    "GD109": gradient_spike,
    "GD110": residual_branch_starvation,
    "GD201": dead_relu,
    "GD202": saturated_activation,
    "GD203": dormant_units,
    "GD204": rank_collapse,
    "GD205": activation_explosion_in_depth,
    "GD206": massive_activations,
    "GD207": attention_entropy_collapse,
    "GD208": attention_logit_growth,
    "GD209": missing_nonlinearity,
    "GD210": non_zero_centred_activations,
    "GD211": constant_output_collapse,
    "GD212": moe_router_collapse,
    "GD214": prelu_degenerate,
    "GD215": attention_uniform,
    "GD301": zero_init_symmetry,
    "GD302": constant_init_symmetry,
    "GD303": init_gain_too_small,
    "GD304": init_gain_too_large,
    "GD305": activation_init_mismatch,
    "GD306": off_edge_of_chaos,
    "GD308": residual_scale_growth,
    "GD309": initial_loss_mismatch,
    "GD311": tied_embedding_scale,
    "GD312": lstm_forget_bias,
    "GD314": cloned_layers,
    "GD401": lr_too_high_divergence,
    "GD402": lr_too_high_oscillation,
    "GD403": lr_too_low,
    "GD404": update_ratio_imbalance,
    "GD405": lr_schedule_misuse,
    "GD406": missing_warmup,
    "GD407": adam_epsilon_dominance,
    "GD408": adam_stale_second_moment,
    "GD410": clip_always_active,
    "GD411": clip_misplaced,
    "GD412": large_effective_lr,
    "GD413": weight_decay_dominates,
    "GD415": coupled_l2_in_adam,
    "GD416": sharpness_above_threshold,
    "GD417": loss_plateau,
    "GD418": loss_spike,
    "GD419": loss_of_plasticity,
    "GD420": accumulating_preconditioner,
    "GD421": rprop_with_minibatches,
    "GD422": fresh_optimizer_state,
    "GD501": double_softmax,
    "GD502": logits_into_nll,
    "GD503": bce_range,
    "GD504": label_range,
    "GD505": broadcast_regression,
    "GD506": mse_for_classification,
    "GD507": target_unscaled,
    "GD508": output_activation_mismatch,
    "GD509": stuck_at_baseline,
    "GD510": rmse_sqrt_singularity,
    "GD511": logit_drift,
    "GD512": ignored_targets,
    "GD513": reduction_mistake,
    "GD514": loss_term_imbalance,
    "GD515": posterior_collapse,
    "GD516": gan_failure,
    "GD517": ssl_representation_collapse,
    "GD519": shifted_labels,
    "GD601": input_unnormalised,
    "GD602": nonfinite_or_constant_input,
    "GD603": not_shuffled,
    "GD604": class_imbalance,
    "GD605": label_noise,
    "GD606": batch_too_small,
    "GD607": batch_too_large,
    "GD608": repeated_batch,
    "GD609": outlier_batch,
    "GD610": overfitting,
    "GD611": underfitting,
    "GD612": last_batch_of_one,
    "GD613": padding_dominated,
    "GD615": preprocessing_mismatch,
    "GD616": labels_independent_of_inputs,
    "GD701": nan_inf_origin,
    "GD702": fp16_gradient_underflow,
    "GD703": fp16_overflow,
    "GD704": bf16_stagnation,
    "GD705": gradscaler_misuse,
    "GD706": gradscaler_collapse,
    "GD708": unstable_op,
    "GD709": half_precision_reduction,
    "GD710": half_precision_optimizer_state,
    "GD711": nan_swallowed,
    "GD801": bn_small_batch,
    "GD802": bn_train_eval_mismatch,
    "GD803": dropout_before_bn,
    "GD804": dropout_misuse,
    "GD805": bias_before_norm,
    "GD806": norm_gain_collapse,
    "GD807": norm_eps_dominates,
    "GD808": post_norm_deep_no_warmup,
    "GD809": missing_skip_or_norm,
    "GD810": over_regularised,
    "GD812": lrn_semantics,
    "GD814": tying_broken,
    "GD815": bn_frozen_mismatch,
    "GD901": missing_zero_grad,
    "GD902": param_not_in_optimizer,
    "GD903": detached_graph,
    "GD904": frozen_by_accident,
    "GD905": step_missing,
    "GD906": eval_mode_while_training,
    "GD907": train_mode_while_evaluating,
    "GD908": accumulation_unscaled,
    "GD909": unused_module,
    "GD910": stale_optimizer_params,
    "GD911": double_step,
    "GD912": repeated_layer,
    "GD913": edited_weights,
    "GD914": graph_retention,
    "GD916": leakage,
    "GD917": sampler_epoch_unset,
    "GD920": frozen_but_moving,
    "GD921": unregistered_submodules,
}

RETIRED: dict[str, str] = {}
