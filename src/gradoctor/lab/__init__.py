"""The lab's books, without torch: what an experiment gives, and which there are."""

from __future__ import annotations

from gradoctor.lab._outcome import Outcome as Outcome
from gradoctor.lab._outcome import Spread as Spread

EXPERIMENTS: dict[int, str] = {
    # depth
    1: "depth_products:one_linear_map",
    2: "depth_products:sigmoid_slope",
    3: "depth_products:quarter_to_the_twentieth",
    4: "depth_products:twenty_sigmoids",
    5: "depth_direction:forward_or_backward",
    6: "depth_direction:shallow_and_deep",
    7: "depth_direction:near_the_output",
    8: "depth_chains:product_rule",
    9: "depth_chains:steep_activations",
    10: "depth_cures:relu_against_vanishing",
    13: "depth_cures:leaky_slopes",
    14: "depth_residual:residual_paths",
    15: "depth_cures:batch_norm",
    16: "depth_memory:long_memory",
    18: "depth_alarms:one_look",
    42: "depth_clipping:clipped_norm",
    43: "depth_clipping:decay_against_explosion",
    # initialisation
    17: "initialisation_scale:gaussian_scale",
    41: "initialisation_scale:scaled_by_fan",
    52: "initialisation_symmetry:symmetric_units",
    53: "initialisation_symmetry:zero_biases",
    54: "initialisation_scale:hundredth",
    # losses
    19: "losses_shape:entropy_as_distance",
    20: "losses_shape:convexity",
    21: "losses_shape:root_of_squares",
    45: "losses_backward:three_layer_sample",
    51: "losses_backward:step_of_the_wrong_matrix",
    66: "losses_backward:who_passes_it_back",
    # activations
    11: "activations_zeros:cost",
    12: "activations_sparsity:sparse_relu",
    22: "activations_output:binary_output",
    23: "activations_dead:zero_slope",
    24: "activations_choice:tanh_nearly_always",
    25: "activations_dead:leaky_for_dead",
    31: "activations_slopes:near_zero_or_one",
    44: "activations_slopes:below_zero",
    46: "activations_choice:tanh_over_sigmoid",
    47: "activations_formulas:tanh_as_a_shift",
    48: "activations_slopes:written_slopes",
    49: "activations_zeros:exactly_zero",
    50: "activations_speed:leaky_over_relu",
    55: "activations_centre:not_centred",
    56: "activations_dead:large_rates",
    57: "activations_dead:dead_for_ever",
    58: "activations_slopes:relu_at_zero",
    59: "activations_slopes:leaky_at_zero",
    60: "activations_formulas:leaky_as_a_maximum",
    61: "activations_modules:random_slopes",
    62: "activations_modules:prelu_parameters",
    63: "activations_modules:prelu_learns",
    64: "activations_formulas:softplus_formula",
    65: "activations_formulas:maxout_as_printed",
    69: "activations_speed:relu_against_saturating",
    70: "activations_modules:overwriting",
    # normalisation
    30: "normalisation_inputs:scaled_inputs",
    32: "normalisation_inputs:local_responses",
    33: "normalisation_batch:in_place_of_others",
    34: "normalisation_batch:any_rate",
    35: "normalisation_batch:make_up_of_batches",
    36: "normalisation_noise:norm_in_time",
    37: "normalisation_noise:noise_sensitive",
    38: "normalisation_weights:fixed_direction",
    39: "normalisation_weights:cheap_but_loose",
    40: "normalisation_dropout:price_of_dropout",
    # optimisation
    26: "optimisation_signs:signs_of_the_full_gradient",
    27: "optimisation_signs:signs_of_batches",
    28: "optimisation_batches:larger_batches",
    29: "optimisation_batches:too_large_batches",
    67: "optimisation_rules:root_before_epsilon",
    68: "optimisation_rules:initial_rate_times_function",
}
"""The ledger: the number of a claim, and the function in ``gradoctor.experiments`` that tests it
(``module:function``)."""
