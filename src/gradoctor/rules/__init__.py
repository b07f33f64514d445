"""The ledger of rules: the only place that knows their codes.

A rule is one pure function in one file, ``rules/<family>/<name>.py``; its import and its line here
are its registration. Both lists are sorted. Codes never change meaning; one that is given up moves
to ``RETIRED`` with its heir.

Families: gradients 1xx, activations 2xx, initialisation 3xx, optimisation 4xx (schedule, clipping),
losses 5xx, data 6xx, numerics 7xx, architecture 8xx, wiring 9xx; outcome holds 417 and 509.
"""

from __future__ import annotations

from gradoctor.rules._rule import Rule
from gradoctor.rules.activations.constant_output_collapse import constant_output_collapse
from gradoctor.rules.activations.dead_relu import dead_relu
from gradoctor.rules.activations.rank_collapse import rank_collapse
from gradoctor.rules.activations.saturated_activation import saturated_activation
from gradoctor.rules.data.input_unnormalised import input_unnormalised
from gradoctor.rules.data.not_shuffled import not_shuffled
from gradoctor.rules.gradients.exploding_gradient import exploding_gradient
from gradoctor.rules.gradients.gradient_cliff import gradient_cliff
from gradoctor.rules.gradients.vanishing_gradient import vanishing_gradient
from gradoctor.rules.gradients.zero_gradient_exact import zero_gradient_exact
from gradoctor.rules.initialisation.init_gain_too_large import init_gain_too_large
from gradoctor.rules.initialisation.init_gain_too_small import init_gain_too_small
from gradoctor.rules.initialisation.initial_loss_mismatch import initial_loss_mismatch
from gradoctor.rules.optimisation.loss_spike import loss_spike
from gradoctor.rules.optimisation.lr_too_high_divergence import lr_too_high_divergence
from gradoctor.rules.optimisation.lr_too_low import lr_too_low
from gradoctor.rules.outcome.loss_plateau import loss_plateau
from gradoctor.rules.outcome.stuck_at_baseline import stuck_at_baseline

__all__ = ["RETIRED", "RULES", "Rule"]

RULES: dict[str, Rule] = {
    "GD101": vanishing_gradient,
    "GD102": exploding_gradient,
    "GD103": gradient_cliff,
    "GD104": zero_gradient_exact,
    "GD201": dead_relu,
    "GD202": saturated_activation,
    "GD204": rank_collapse,
    "GD211": constant_output_collapse,
    "GD303": init_gain_too_small,
    "GD304": init_gain_too_large,
    "GD309": initial_loss_mismatch,
    "GD401": lr_too_high_divergence,
    "GD403": lr_too_low,
    "GD417": loss_plateau,
    "GD418": loss_spike,
    "GD509": stuck_at_baseline,
    "GD601": input_unnormalised,
    "GD603": not_shuffled,
}

RETIRED: dict[str, str] = {}
