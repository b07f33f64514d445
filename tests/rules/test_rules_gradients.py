from __future__ import annotations

import math

import pytest

from builders import LOSSFN, OPTIMIZER, RUN, Net
from gradoctor.records import Fact, Level
from gradoctor.rules.gradients.exploding_gradient import exploding_gradient
from gradoctor.rules.gradients.gradient_cliff import gradient_cliff
from gradoctor.rules.gradients.vanishing_gradient import vanishing_gradient
from gradoctor.rules.gradients.zero_gradient_exact import zero_gradient_exact
from rules.structural.made import one


class TestVanishing:
    def test_a_deep_sigmoid_stack_that_is_stuck_is_sick_from_step_0(self):
        found = one(vanishing_gradient, Net(20).gradient_slope(2.0).stuck())
        assert found is not None
        assert found.level == Level.SICK
        assert found.first_step == 0
        assert found.values["span_bits"] == pytest.approx(-40, abs=0.5)
        assert found.values["slope_bits"] == pytest.approx(-2, abs=0.05)
        assert found.values["first"] == "layers.0"
        assert found.sites[0] == Net(20).layers[0]

    def test_left_behind_is_harm_enough_without_adam(self):
        found = one(vanishing_gradient, Net(20).gradient_slope(1.0))
        assert found is not None
        # the loss has beaten half its baseline: a benign context takes one level
        assert found.level == Level.SUSPECT

    def test_adam_hides_a_small_gradient_until_it_nears_epsilon(self):
        net = Net(8, 800, optimizer="AdamW").gradient_slope(1.5)
        net.loss(lambda t: 1.8)
        found = one(vanishing_gradient, net)
        assert found is not None
        assert found.level == Level.NOTE

    def test_healthy_net_is_silent(self):
        assert one(vanishing_gradient, Net(20)) is None

    def test_small_gradients_with_normal_updates_are_no_disease(self):
        net = Net(20).gradient_slope(1.0).stuck()
        for weight in net.weights:
            net.set("update.ratio", weight, 1e-3)
        assert one(vanishing_gradient, net) is None

    def test_a_slope_that_heals_is_silent(self):
        net = Net(20, 600).gradient_slope(lambda t: 2.0 * math.exp(-t / 40))
        assert one(vanishing_gradient, net) is None

    def test_a_slope_on_its_way_back_is_at_most_suspect(self):
        net = Net(20, 120).gradient_slope(lambda t: 2.0 - t / 80).stuck()
        found = one(vanishing_gradient, net)
        assert found is None or found.level <= Level.SUSPECT

    def test_lora_looks_vanished_at_step_0_only(self):
        net = Net(8)
        for layer in net.layers[:-2]:
            net.set("actgrad.rms", layer, lambda t: 0.0 if t < 3 else 1e-3)
        assert one(vanishing_gradient, net) is None

    def test_a_cliff_is_not_called_vanishing(self):
        net = cliff_net()
        assert one(vanishing_gradient, net) is None


def cliff_net() -> Net:
    net = Net(8).stuck()
    for i, (layer, weight) in enumerate(zip(net.layers, net.weights, strict=True)):
        if i <= 3:
            net.set("actgrad.rms", layer, 1e-9)
            net.set("actgrad.rms", net.activations[i], 1e-9 if i < 3 else 1e-3)
            net.set("update.ratio", weight, 1e-9)
            net.set("weight.movement", weight, 1e-7)
    return net


class TestCliff:
    def test_names_the_module_between_the_layers(self):
        net = cliff_net()
        found = one(gradient_cliff, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["fall_bits"] == pytest.approx(20, abs=0.5)
        assert found.values["before"] == "layers.3"
        assert found.values["module"] == "acts.3"

    def test_uniform_decay_is_no_cliff(self):
        assert one(gradient_cliff, Net(20).gradient_slope(2.0).stuck()) is None

    def test_without_harm_it_is_a_note(self):
        net = Net(8)
        for layer in net.layers[:4]:
            net.set("actgrad.rms", layer, 1e-9)
        found = one(gradient_cliff, net)
        assert found is not None
        assert found.level == Level.NOTE


class TestExploding:
    def test_growth_before_divergence_is_sick_at_once(self):
        net = Net(20, 8).gradient_slope(-0.9)
        net.each_step("loss.value", 1, [1e6, 1e9, 1e15] + [math.nan] * 5)
        net.each_step("loss.nonfinite", 1, [0, 0, 0, 1, 1, 1, 1, 1])
        found = one(exploding_gradient, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "depth"
        assert found.values["span_bits"] == pytest.approx(18, abs=0.3)

    def test_batch_norms_explosion_of_the_first_step_heals(self):
        net = Net(50).gradient_slope(lambda t: -0.29 if t < 1 else -0.05)
        assert one(exploding_gradient, net) is None

    def test_growth_without_harm_is_a_note(self):
        found = one(exploding_gradient, Net(20).gradient_slope(-0.9))
        assert found is not None
        assert found.level == Level.NOTE

    def test_a_burst_in_time_that_ends_in_nan(self):
        net = Net(4, 100)
        net.set("grad.norm", RUN, lambda t: 1.0 if t < 80 else 1e5)
        net.each_step("loss.nonfinite", 1, lambda t: float(t >= 88))
        net.each_step("loss.value", 1, lambda t: 1.0 if t < 88 else math.nan)
        found = one(exploding_gradient, net)
        assert found is not None
        assert found.values["kind"] == "time"
        assert found.level == Level.SICK
        assert 78 <= found.first_step <= 82

    def test_healthy_is_silent(self):
        assert one(exploding_gradient, Net(20)) is None


class TestExactZero:
    def zero(self, net: Net) -> Net:
        for weight in net.weights[:3]:
            net.set("grad.absmax", weight, 0.0)
        return net

    def test_zero_and_stuck_is_sick(self):
        found = one(zero_gradient_exact, self.zero(Net().stuck()))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["count"] == 3
        assert found.first_step == 0

    def test_zero_by_itself_is_at_most_a_note(self):
        found = one(zero_gradient_exact, self.zero(Net()))
        assert found is not None
        assert found.level == Level.NOTE

    def test_a_branch_that_wakes_is_silent(self):
        net = Net()
        net.set("grad.absmax", net.weights[0], lambda t: 0.0 if t < 5 else 1e-2)
        assert one(zero_gradient_exact, net) is None

    def test_embeddings_and_biases_are_not_judged(self):
        net = self.zero(Net().stuck())
        for weight in net.weights[:2]:
            net.change(weight, role="embedding")
        net.change(net.weights[2], shape=[64])
        assert one(zero_gradient_exact, net) is None

    def test_onset_is_the_step_it_fell_silent(self):
        net = Net().stuck()
        net.set("grad.absmax", net.weights[1], lambda t: 1e-2 if t < 7 else 0.0)
        found = one(zero_gradient_exact, net)
        assert found is not None
        assert found.first_step == 7


def test_warm_up_and_zero_init_are_named_among_the_exclusions():
    net = cliff_net()
    net.facts.append(
        Fact("init", net.weights[5], "late", data={"zero": True, "first_grad_absmax": 0.1})
    )
    found = one(gradient_cliff, net)
    assert found is not None
    assert dict(found.exclusions)["zero-initialised-branch"]
    assert found.level == Level.SUSPECT
    warm = Net(20, 300).gradient_slope(2.0).stuck()
    warm.each_step("lr", OPTIMIZER, lambda t: t / 1000)
    assert dict(one(vanishing_gradient, warm).exclusions)["warm-up"]
    assert LOSSFN in warm.rows["lossfn.value"]
