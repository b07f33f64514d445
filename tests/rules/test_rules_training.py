"""Initialisation, optimisation, data and outcome."""

from __future__ import annotations

import math

import numpy as np
import pytest

from builders import INPUT, LOSS, LOSSFN, OPTIMIZER, RUN, Net
from gradoctor.records import Fact, Level, Site
from gradoctor.rules.evidence import UndecidedError
from gradoctor.rules.initialisation.init_gain_too_large import init_gain_too_large
from gradoctor.rules.initialisation.init_gain_too_small import init_gain_too_small
from gradoctor.rules.initialisation.initial_loss_mismatch import initial_loss_mismatch
from gradoctor.rules.optimisation.loss_spike import loss_spike
from gradoctor.rules.optimisation.lr_too_high_divergence import lr_too_high_divergence
from gradoctor.rules.optimisation.lr_too_low import lr_too_low
from gradoctor.rules.outcome.loss_plateau import loss_plateau
from gradoctor.rules.outcome.stuck_at_baseline import stuck_at_baseline
from rules.structural.made import one

BASE = math.log(10)


def forward_slope(net: Net, bits: float) -> Net:
    for i, layer in enumerate(net.layers):
        net.set("act.rms", layer, 2.0 ** (bits * i))
    return net


class TestInitialisation:
    def test_small_both_ways_and_stuck(self):
        net = forward_slope(Net(6).gradient_slope(4.3).stuck(), -4.3)
        found = one(init_gain_too_small, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["backward_bits"] == pytest.approx(-4.3, abs=0.05)

    def test_small_backwards_only_is_silent(self):
        assert one(init_gain_too_small, Net(20).gradient_slope(1.3).stuck()) is None

    def test_small_but_learning_is_a_note(self):
        found = one(init_gain_too_small, forward_slope(Net(12).gradient_slope(1.5), -1.5))
        assert found is not None
        assert found.level == Level.NOTE

    def test_large_and_never_near_the_baseline(self):
        net = forward_slope(Net(20), 0.9).loss(lambda t: 1e6 / (t + 1))
        found = one(init_gain_too_large, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "growth"

    def test_every_tanh_saturated_at_the_start_and_ever_since(self):
        net = Net(6, activation="tanh").loss(lambda t: 10.6 - t / 60)
        for site in net.activations:
            net.set("act.saturated_fraction", site, 0.8)
        for site in net.layers:
            net.set("act.rms", site, 5.0)
        found = one(init_gain_too_large, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "saturation"
        assert set(found.sites) <= set(net.layers), "the weights are at fault, not the tanh"

    def test_saturation_without_large_weights_was_set_so(self):
        net = Net(6, activation="tanh").loss(lambda t: 10.6 - t / 60)
        for site in net.activations:
            net.set("act.saturated_fraction", site, 0.8)
        for site in net.layers:
            net.set("act.rms", site, 0.5)
        assert one(init_gain_too_large, net) is None

    def test_saturation_by_unscaled_inputs_is_another_disease(self):
        net = Net(6, activation="tanh").stuck()
        for site in net.activations:
            net.set("act.saturated_fraction", site, 0.8)
        for site in net.layers:
            net.set("act.rms", site, 5.0)
        net.set("input.feature_mean", INPUT, 128.0)
        found = one(init_gain_too_large, net)
        assert found is not None
        assert found.level < Level.SICK

    def test_a_residual_stream_grows_gently(self):
        net = Net(20)
        for i, layer in enumerate(net.layers):
            net.set("act.rms", layer, math.sqrt(1 + i))
        assert one(init_gain_too_large, net) is None


class TestInitialLoss:
    @pytest.mark.parametrize(
        ("first", "level"), [(1.2, None), (2.0, Level.NOTE), (2.96, Level.NOTE), (0.1, Level.NOTE)]
    )
    def test_levels(self, first, level):
        net = Net().loss(lambda t: BASE * (0.1 + (first - 0.1) * math.exp(-t / 20)))
        found = one(initial_loss_mismatch, net)
        assert (found.level if found else None) == level

    def test_far_and_slow_is_suspect(self):
        found = one(initial_loss_mismatch, Net().loss(lambda t: BASE * (6 - t / 70)))
        assert found is not None
        assert found.level == Level.SUSPECT

    def test_undecided_about_a_rare_class(self):
        net = Net().loss(lambda t: 0.69 if t < 100 else 0.1)
        net.change(LOSSFN, function="binary_cross_entropy_with_logits")
        net.set("lossfn.baseline", LOSSFN, 0.2)
        assert one(initial_loss_mismatch, net) is None
        net.loss(lambda t: 2.8 if t < 100 else 0.1)
        found = one(initial_loss_mismatch, net)
        assert found is not None
        assert (found.level, found.values["ratio"]) == (Level.SUSPECT, pytest.approx(4.04, 0.01))

    def test_a_mean_that_is_known_before(self):
        net = Net().loss(lambda t: 1.4 - t / 1000)
        net.change(LOSSFN, function="mse_loss")
        net.set("lossfn.baseline", LOSSFN, 1.3).set("target.mean", LOSSFN, 3.5)
        assert one(initial_loss_mismatch, net) is None
        assert one(initial_loss_mismatch, net.loss(lambda t: 0.5 - t / 1000)) is not None

    def test_one_class_in_the_first_batch_does_not_matter(self):
        net = Net()
        net.set("lossfn.baseline", LOSSFN, lambda t: 0.3 if t < 2 else BASE)
        assert one(initial_loss_mismatch, net) is None


class TestHighRate:
    def burst(self, net: Net, until: int) -> Net:
        for weight in net.weights:
            net.set("update.ratio", weight, lambda t: 0.8 if t < until else 1e-3)
        return net

    def test_divergence_to_nan(self):
        net = self.burst(Net(steps=30), 30)
        net.each_step("loss.value", LOSS, lambda t: 2.3 * 4.0**t if t < 20 else math.nan)
        net.each_step("loss.nonfinite", LOSS, lambda t: float(t >= 20))
        found = one(lr_too_high_divergence, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "non-finite"
        assert found.sites[0] == OPTIMIZER

    def test_growth_past_the_baseline(self):
        net = self.burst(Net(), 300).loss(lambda t: 2.0 + t / 30)
        found = one(lr_too_high_divergence, net)
        assert found is not None
        assert found.values["kind"] == "grown"

    def test_a_loss_of_the_scripts_own_that_rises_with_the_returns(self):
        net = self.burst(Net(), 3).loss(lambda t: min(60.0, 15.0 + t), spread=0.5)
        assert one(lr_too_high_divergence, net) is not None
        net.rows.pop("lossfn.value")
        assert one(lr_too_high_divergence, net) is None

    def test_a_burst_that_killed_the_network(self):
        net = self.burst(Net().stuck(), 3)
        for site in net.activations:
            net.set("act.dead_fraction", site, lambda t: math.nan if t < 20 else 0.95)
        found = one(lr_too_high_divergence, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "killed"
        assert found.first_step == 0

    @pytest.mark.parametrize(
        ("loss", "told"),
        [(lambda t: 60 * math.exp(-t / 105), True), (lambda t: 60 * math.exp(-t / 60), False)],
        ids=["still far above where it began", "soon down again"],
    )
    def test_a_burst_that_is_not_got_over_by_the_end(self, loss, told):
        net = self.burst(Net(), 3).loss(lambda t: loss(t) if t else 2.6)
        found = one(lr_too_high_divergence, net)
        assert (found is not None and found.values["kind"] == "killed") == told

    @pytest.mark.parametrize(("end", "told"), [(2.2, True), (1.7, False)])
    def test_a_rough_start_and_a_floor_far_below_it(self, end, told):
        net = self.burst(Net(steps=900), 3).loss(
            lambda t: 2.3 if t < 1 else 4.0 if t < 10 else end, spread=0.002
        )
        assert (one(lr_too_high_divergence, net) is not None) == told

    @pytest.mark.parametrize(("end", "told"), [(0.98, True), (0.75, False)])
    def test_a_loss_below_that_of_constants_knows_its_input(self, end, told):
        net = self.burst(Net(steps=900), 3).loss(lambda t: end * BASE, spread=0.002)
        net.set("prediction.centred_ratio", LOSSFN, lambda t: 0.01 if t < 3 else 1e-5)
        assert (one(lr_too_high_divergence, net) is not None) == told

    def test_beside_weights_of_which_little_is_left_any_update_is_large(self):
        net = Net().stuck()
        for weight in net.weights:
            net.set("weight.rms", weight, lambda t: 0.1 * 0.96**t)
            net.set("update.ratio", weight, lambda t: 0.05 if t < 60 else 0.2)
        net.set("prediction.centred_ratio", LOSSFN, lambda t: 0.5 if t < 61 else 1e-6)
        assert one(lr_too_high_divergence, net) is None
        for weight in net.weights:
            net.set("weight.rms", weight, 0.1)
        assert one(lr_too_high_divergence, net) is not None

    def test_a_burst_that_is_got_over_is_silent(self):
        assert one(lr_too_high_divergence, self.burst(Net(), 3)) is None

    def test_divergence_without_large_updates_is_not_the_rates_doing(self):
        net = Net(steps=30)
        net.each_step("loss.nonfinite", LOSS, lambda t: float(t >= 20))
        assert one(lr_too_high_divergence, net) is None

    def test_zero_initialised_weights_have_no_relative_update(self):
        net = Net().stuck()
        for site in net.activations:
            net.set("act.dead_fraction", site, 0.95)
        for weight in net.weights[:4]:
            net.set("update.ratio", weight, 0.9)
            net.facts = [f for f in net.facts if f.site != weight]
            net.facts.append(Fact("init", weight, data={"zero": True}))
        assert one(lr_too_high_divergence, net) is None

    def test_two_players_losses_may_grow(self):
        net = self.burst(Net(), 300).loss(lambda t: 2.0 + t / 30)
        other = len(net.sites)
        net.sites.append(Site(other, "loss", "generator", meta={"optimizers": [99]}))
        net.each_step("loss.value", other, 1.0)
        assert one(lr_too_high_divergence, net) is None


class TestLowRate:
    def slow(self, net: Net) -> Net:
        net.loss(lambda t: BASE * (1 - t * 1e-6), spread=1e-4)
        net.set("grad.snr", RUN, 6.0).set("grad.cosine", RUN, 0.66)
        for weight in net.weights:
            net.set("update.ratio", weight, 3e-6)
            net.set("weight.movement", weight, lambda t: 3e-6 * t)
        return net

    def test_clear_signal_and_tiny_updates(self):
        found = one(lr_too_low, self.slow(Net()))
        assert found is not None
        assert found.level == Level.SICK

    def test_warm_up_tail_and_fine_tuning_are_no_disease(self):
        warm = self.slow(Net())
        warm.each_step("lr", OPTIMIZER, lambda t: 1e-6 * (t + 1))
        with pytest.raises(UndecidedError):  # the run is all warm-up
            one(lr_too_low, warm)
        tail = self.slow(Net())
        tail.each_step("lr", OPTIMIZER, lambda t: 1.0 if t < 10 else 1e-6)
        tuning = self.slow(Net()).loss(lambda t: 0.2 * BASE)
        for net in (tail, tuning):
            found = one(lr_too_low, net)
            assert found is None or found.level == Level.NOTE

    def test_healthy_is_silent(self):
        assert one(lr_too_low, Net()) is None

    def test_short_runs_are_undecided(self):
        with pytest.raises(UndecidedError, match="too-short"):
            one(lr_too_low, Net(steps=60))


class TestSpikes:
    def spiky(self, steps: int, at: tuple[int, ...], *, lasting: bool = False) -> Net:
        draw = np.random.default_rng(0)

        def loss(t: int) -> float:
            up = any(s <= t < s + 12 for s in at) or (lasting and at and t >= at[-1])
            return 0.8 + 1.5 * math.exp(-t / 50) + (2.0 if up else 0) + 0.02 * draw.normal()

        return Net(steps=steps).loss(loss)

    def test_one_that_passes_is_a_note(self):
        found = one(loss_spike, self.spiky(600, (300,)))
        assert found is not None
        assert found.level == Level.NOTE
        assert found.values["recovered"]
        assert 295 <= found.first_step <= 300

    def test_many_are_suspect(self):
        found = one(loss_spike, self.spiky(1000, (250, 400, 600, 800)))
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["count"] == 4

    def test_targets_that_are_taken_anew_make_the_loss_jump(self):
        net = self.spiky(1000, (250, 400, 600, 800), lasting=True).change(
            LOSSFN, function="mse_loss"
        )
        net.set("prediction.rms", LOSSFN, 1.0).set("target.std", LOSSFN, 1.0)
        still = net.set("target.mean", LOSSFN, 0.0, spread=0.05)
        assert one(loss_spike, still).level == Level.SICK
        moved = net.set("target.mean", LOSSFN, lambda t: t // 200, spread=0.05)
        assert one(loss_spike, moved).level == Level.NOTE

    def test_one_that_lasts_is_sick(self):
        found = one(loss_spike, self.spiky(600, (500,), lasting=True))
        assert found is not None
        assert found.level == Level.SICK

    def test_one_that_the_run_ends_on_is_no_verdict(self):
        found = one(loss_spike, self.spiky(600, (580,), lasting=True))
        assert found is not None
        assert found.level == Level.NOTE

    def test_single_hard_batches_are_no_spikes(self):
        draw = np.random.default_rng(1)
        net = Net(steps=800).loss(lambda t: 1.0 + (5.0 if draw.random() < 0.03 else 0.0))
        assert one(loss_spike, net) is None

    def test_noise_at_a_loss_of_zero_is_silent(self):
        draw = np.random.default_rng(2)
        net = Net(steps=800).loss(lambda t: 2.3 * math.exp(-t / 20) + 1e-4 * draw.exponential())
        assert one(loss_spike, net) is None


class TestOutcome:
    def test_stuck(self):
        found = one(stuck_at_baseline, Net().stuck())
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["r"] == pytest.approx(0, abs=0.03)

    def test_without_the_witness_it_is_suspect(self):
        net = Net().stuck()
        del net.rows["prediction.centred_ratio"]
        found = one(stuck_at_baseline, net)
        assert found is not None
        assert found.level == Level.SUSPECT

    def test_noisy_labels_are_not_a_constant_output(self):
        net = Net().stuck().set("prediction.centred_ratio", LOSSFN, 0.3)
        net.set("lossfn.kl", LOSSFN, 0.1)
        assert one(stuck_at_baseline, net) is None

    def test_regression_is_judged_by_the_targets_spread(self):
        net = Net().stuck().change(LOSSFN, function="mse_loss")
        net.set("prediction.rms", LOSSFN, 1e-3).set("target.std", LOSSFN, 1.0)
        net.set("prediction.centred_ratio", LOSSFN, 0.5)
        assert one(stuck_at_baseline, net) is not None

    def test_too_early_and_several_losses_are_undecided(self):
        with pytest.raises(UndecidedError, match="too-short"):
            one(stuck_at_baseline, Net(steps=80).stuck())
        net = Net().stuck()
        net.sites.append(Site(len(net.sites), "loss", "other", meta={"optimizers": [77]}))
        net.each_step("loss.value", len(net.sites) - 1, 1.0)
        with pytest.raises(UndecidedError, match="several-losses"):
            one(stuck_at_baseline, net)

    def test_plateau_high_up_is_suspect_and_low_down_a_note(self):
        high = one(loss_plateau, Net(steps=1200).loss(lambda t: 0.95 * BASE, spread=0.01))
        low = one(loss_plateau, Net(steps=1200).loss(lambda t: 0.8 * BASE, spread=0.01))
        assert high is not None
        assert high.level == Level.SUSPECT
        assert low is not None
        assert low.level == Level.NOTE

    def test_targets_that_move_have_no_plateau(self):
        net = Net(steps=1200).loss(lambda t: 0.85 * BASE, spread=0.01)
        net.change(LOSSFN, function="smooth_l1_loss").set("target.std", LOSSFN, 1.0)
        assert one(loss_plateau, net.set("target.mean", LOSSFN, 3.0)) is not None
        assert one(loss_plateau, net.set("target.mean", LOSSFN, lambda t: t / 60)) is None

    def test_converged_or_falling_is_no_plateau(self):
        done = Net(steps=1200).loss(lambda t: 0.01, spread=0.1)
        assert one(loss_plateau, done) is None
        assert one(loss_plateau, Net(steps=1200).loss(lambda t: 2.2 - t / 2000)) is None
