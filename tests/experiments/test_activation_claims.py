"""The experiments on activations, and the parts of the dear ones."""

from __future__ import annotations

import pytest
import torch
from trials import check, numbers, run

pytest.importorskip("sklearn")

from gradoctor.experiments import activations_centre as centre
from gradoctor.experiments import activations_choice as choice
from gradoctor.experiments import activations_dead as dead
from gradoctor.experiments import activations_modules as modules
from gradoctor.experiments import activations_output as output
from gradoctor.experiments import activations_sparsity as sparsity
from gradoctor.experiments import activations_speed as speed
from gradoctor.experiments.activations_slopes import RELUS, at

DEAR = {11, 12, 22, 23, 24, 25, 46, 50, 55, 56, 57, 69}


@pytest.mark.parametrize("number", numbers("activations", DEAR))
def test_the_verdict_is_the_expected_one(number):
    check(number)


# ---- exact ones ---------------------------------------------------------------------------------
@pytest.mark.parametrize("point", [-2.0, -1e-9, 1e-9, 3.0])
def test_the_seven_relus_differ_at_zero_only(point):
    assert {at(function, point) for function in RELUS.values()} == {float(point > 0)}
    assert {at(function, 0.0) for function in RELUS.values()} == {0.0, 0.5, 1.0}


def test_leaky_relu_parts_from_the_maximum_above_one():
    figures = run(60).figures
    assert figures["error.1.0"].middle == 0
    assert figures["error.2.0"].middle == pytest.approx(4)


def test_one_bias_for_both_maps_of_maxout_does_not_do():
    figures = run(65).figures
    assert figures["fit.shared"].middle > 1e3 * figures["fit.own"].middle
    assert figures["left.printed"].middle < 1e-20


# ---- modules ------------------------------------------------------------------------------------
def test_prelu_takes_the_second_dimension_for_its_channels():
    assert modules.takes(3, (4, 3))
    assert modules.takes(7, (2, 7, 3))
    assert not modules.takes(3, (2, 7, 3))
    assert not modules.takes(4, (4, 3))


@pytest.mark.parametrize(
    ("name", "refused"), [("sigmoid", True), ("exp", True), ("2x", False), ("square", False)]
)
def test_backward_refuses_what_relu_in_place_took_away(name, refused):
    assert modules.breaks(modules.BEFORE[name]) is refused


def test_other_errors_are_not_taken_for_that_refusal():
    def failing(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("out of paper")

    with pytest.raises(RuntimeError, match="paper"):
        modules.breaks(failing)


# ---- dead units ---------------------------------------------------------------------------------
def test_biases_far_below_zero_silence_relu():
    assert dead.dead_share(dead.stack("relu", 0)) < 0.05
    assert dead.dead_share(dead.stack("relu", 0, -100.0)) == 1


def test_a_large_rate_kills_and_a_small_one_does_not():
    assert dead.end("relu", 1.4, 0).dead > 0.4
    assert dead.end("relu", 0.1, 0).dead < 0.05


def test_leaky_relu_diverges_where_relu_dies():
    assert dead.end("leaky 0.1", 1.2, 0).diverged
    assert not dead.end("relu", 1.2, 0).diverged


def test_the_dead_of_the_first_layer_stay_dead():
    found = dead.fate("SGD", 0)
    assert min(found.dead) > 0
    assert found.gradient == 0
    assert found.returned[0] == 0
    assert found.returned[1] > 0


# ---- training with each -------------------------------------------------------------------------
def test_all_weights_behind_sigmoids_are_pushed_one_way():
    assert centre.agreement("sigmoid", 1, 0) == 1
    assert centre.agreement("sigmoid - 1/2", 1, 0) < 0.5


def test_centring_saves_steps():
    slow, fast = (centre.steps_to_learn(kind, 2, 2.0, 0) for kind in centre.SHAPES)
    assert fast < slow < 2 * centre.MOST


def test_a_sigmoid_net_can_be_the_tanh_net():
    assert choice.folded(3) < 1e-12


def test_ten_layers_learn_with_tanh_and_not_with_sigmoid():
    assert choice.learnt("10", "tanh", 0.2, 0) > 0.9
    assert choice.learnt("10", "sigmoid", 1.0, 0) < 0.3


def test_steps_are_counted_in_looks():
    assert speed.reached((0.9, 0.3, 0.2), 0.25, 5) == 10
    assert speed.reached((0.9, 0.3, 0.3), 0.25, 5) == 30


def test_matched_nets_stop_at_the_common_training_loss():
    found = sparsity.matched("relu", 0)
    assert sparsity.LEVEL / 2 < found.fitted <= sparsity.LEVEL
    assert found.zeros > 0.3


def test_only_the_loss_of_logits_keeps_its_gradient():
    gradients = {name: output.pulled_back(loss, 20.0) for name, loss in output.LOSSES.items()}
    assert gradients == {"BCEWithLogits": 1.0, "sigmoid + BCE": 0.0, "sigmoid + MSE": 0.0}
    assert output.pulled_back(output.LOSSES["sigmoid + MSE"], 10.0) == pytest.approx(
        9.08e-5, rel=0.01
    )
