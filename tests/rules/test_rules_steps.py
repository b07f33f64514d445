"""Steps that are too long, and single gradients that are far too large."""

from __future__ import annotations

import math

import numpy as np
import pytest

from builders import INPUT, LOSSFN, OPTIMIZER, RUN, Net
from gradoctor.records import Fact, Level, Site
from gradoctor.rules.evidence import UndecidedError
from gradoctor.rules.gradients.gradient_spike import gradient_spike
from gradoctor.rules.optimisation.lr_too_high_divergence import lr_too_high_divergence
from gradoctor.rules.optimisation.lr_too_high_oscillation import lr_too_high_oscillation
from rules.structural.made import one

BASE = math.log(10)


def bouncing(at: float = 0.8, *, promised: float = 2.0, steps: int = 600) -> Net:
    """Falls within 60 steps to ``at`` of the baseline, then stands there; looks foretell a fall."""
    net = Net(4, steps)
    net.loss(lambda t: BASE * (at + (1 - at) * math.exp(-t / 20)), spread=0.1)
    return net.set("update.predicted", RUN, -promised * at * BASE, spread=0.2)


def violently(net: Net) -> Net:
    for weight in net.weights:
        net.set("update.ratio", weight, lambda t: 0.4 if t < 3 else 5e-3)
    return net


class TestOscillation:
    def test_poor_after_violent_steps_is_sick(self):
        found = one(lr_too_high_oscillation, violently(bouncing()))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "noise"
        assert found.values["gain"] == pytest.approx(0.5, rel=0.1)
        assert found.first_step == 0
        assert found.sites == (OPTIMIZER,)

    def test_poor_alone_is_suspect(self):
        found = one(lr_too_high_oscillation, bouncing())
        assert found is not None
        assert found.level == Level.SUSPECT

    def test_middling_after_violent_steps_is_suspect_and_else_a_note(self):
        found = one(lr_too_high_oscillation, violently(bouncing(0.3)))
        assert found is not None
        assert found.level == Level.SUSPECT
        found = one(lr_too_high_oscillation, bouncing(0.3))
        assert found is not None
        assert found.level == Level.NOTE

    def test_low_and_near_its_best_is_silent(self):
        assert one(lr_too_high_oscillation, violently(bouncing(0.05))) is None

    def test_a_noise_floor_with_short_steps_is_silent(self):
        assert one(lr_too_high_oscillation, violently(bouncing(promised=0.3))) is None

    def test_momentum_makes_the_same_promise_cost_more(self):
        net = bouncing(promised=0.3).change(OPTIMIZER, momentum=0.9)
        found = one(lr_too_high_oscillation, net)
        assert found is not None
        assert found.values["gain"] == pytest.approx(0.75, rel=0.1)

    def test_progress_is_silent_however_long_the_steps(self):
        net = bouncing().loss(lambda t: BASE * math.exp(-t / 400), spread=0.05)
        assert one(lr_too_high_oscillation, violently(net)) is None

    def test_climbing_past_the_baseline(self):
        net = bouncing().loss(lambda t: BASE * (0.5 + t / 100), spread=0.1)
        net.set("update.predicted", RUN, lambda t: -2.0 * BASE * (0.5 + t / 100))
        found = one(lr_too_high_oscillation, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "climbing"

    def test_the_end_of_a_schedule_is_a_note_and_two_players_are_silent(self):
        net = violently(bouncing())
        net.each_step("lr", OPTIMIZER, lambda t: 0.1 * max(0.01, 1 - t / 500))
        found = one(lr_too_high_oscillation, net)
        assert found is not None
        assert found.level == Level.NOTE
        net = violently(bouncing())
        net.sites.append(Site(len(net.sites), "loss", "other", meta={"optimizers": [OPTIMIZER]}))
        net.each_step("loss.value", net.sites[-1].id, 1.0)
        assert one(lr_too_high_oscillation, net) is None

    def test_accumulated_losses_are_added_up(self):
        net = bouncing(promised=2.0)
        net.each_step("backward.count", RUN, 4.0)
        assert one(lr_too_high_oscillation, net) is None

    def test_undecided(self):
        with pytest.raises(UndecidedError):
            one(lr_too_high_oscillation, bouncing(steps=80))
        with pytest.raises(UndecidedError):
            one(lr_too_high_oscillation, bouncing().loss(lambda t: 1.0 - t))
        net = bouncing()
        net.facts = [f for f in net.facts if f.kind != "optimizer"]
        net.facts.append(Fact("optimizer", OPTIMIZER, data={"steps": 600, "closure": True}))
        with pytest.raises(UndecidedError):
            one(lr_too_high_oscillation, net)


class TestFixedBatch:
    def valley(self, cosine: float = -0.98, fall: float = 0.0) -> Net:
        net = bouncing(promised=0.5)
        net.loss(lambda t: BASE * (0.7 + 0.01 * (t % 2)) * math.exp(-fall * t))
        net.set("input.hash", INPUT, 7.0)
        return net.set("grad.cosine", RUN, cosine)

    def test_to_and_fro_is_proof(self):
        found = one(lr_too_high_oscillation, self.valley())
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "valley"

    def test_the_edge_of_stability_is_silent_while_the_loss_falls(self):
        assert one(lr_too_high_oscillation, self.valley(fall=0.001)) is None

    def test_gradients_that_agree_are_no_oscillation(self):
        assert one(lr_too_high_oscillation, self.valley(cosine=0.99)) is None


class TestCollapse:
    def burst(self, first: float) -> Net:
        net = violently(Net(4, 400)).stuck()
        return net.set("prediction.centred_ratio", LOSSFN, lambda t: first if t < 1 else 1e-6)

    def test_an_output_that_no_longer_sees_its_input(self):
        found = one(lr_too_high_divergence, self.burst(0.02))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "killed"

    def test_one_that_never_saw_it_is_another_disease(self):
        assert one(lr_too_high_divergence, self.burst(1e-6)) is None


def spiking(at: tuple[int, ...], *, factor: float = 300.0, steps: int = 600, high: int = 20) -> Net:
    """A norm of 1 that is ``factor`` at some steps, and a loss that is high for ``high`` after."""
    net = Net(4, steps)
    noise = np.random.default_rng(3)
    net.each_step(
        "clip.norm", RUN,
        [(factor if t in at else 1.0) * float(noise.uniform(0.7, 1.4)) for t in range(steps)],
    )  # fmt: skip
    up = {t + k for t in at for k in range(1, high + 1)}
    return net.loss(lambda t: BASE * (3.0 if t in up else 0.5), spread=0.03)


class TestGradientSpike:
    def test_one_that_the_loss_gets_over_is_a_note(self):
        found = one(gradient_spike, spiking((300,)))
        assert found is not None
        assert found.level == Level.NOTE
        assert found.values["harmful"] == 1
        assert found.first_step == 300

    def test_many_are_suspect(self):
        net = spiking((150, 280, 420))
        net.set("lossfn.value", LOSSFN, 0.2 * BASE)
        found = one(gradient_spike, net)
        assert found is not None
        assert found.level == Level.SUSPECT

    def test_many_and_nothing_learned_is_sick(self):
        net = spiking((150, 280, 420)).set("lossfn.value", LOSSFN, 0.8 * BASE)
        found = one(gradient_spike, net)
        assert found is not None
        assert found.level == Level.SICK

    def test_one_that_lasts_is_sick(self):
        found = one(gradient_spike, spiking((300,), high=300))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["lasting"]

    def test_what_the_loss_does_not_feel_is_silent_unless_frequent(self):
        net = spiking((300,)).loss(lambda t: BASE * 0.5, spread=0.03)
        assert one(gradient_spike, net) is None
        net = spiking(tuple(range(60, 600, 40))).loss(lambda t: BASE * 0.5, spread=0.03)
        found = one(gradient_spike, net)
        assert found is not None
        assert found.level == Level.NOTE

    def test_growth_over_several_steps_is_the_rates_doing(self):
        net = spiking(())
        net.each_step("clip.norm", RUN, lambda t: 1.0 if t < 300 else 4.0 ** min(t - 299, 12))
        net.loss(lambda t: BASE * (0.5 if t < 302 else 5.0), spread=0.03)
        assert one(gradient_spike, net) is None

    def test_after_an_oversized_step_it_is_the_rates_doing(self):
        net = spiking((300,))
        for weight in net.weights:
            net.set("update.ratio", weight, lambda t: 0.5 if 294 <= t <= 299 else 1e-3)
        assert one(gradient_spike, net) is None

    def test_bursts_that_an_outlier_made_are_not_the_rates(self):
        net = spiking((300,), high=300).loss(
            lambda t: BASE * (0.5 if t <= 300 else 5.0), spread=0.03
        )
        for weight in net.weights:
            net.set("update.ratio", weight, lambda t: 0.5 if 300 <= t <= 306 else 1e-3)
        assert one(lr_too_high_divergence, net) is None
        net.each_step("clip.norm", RUN, 1.0)
        assert one(lr_too_high_divergence, net) is not None

    def test_few_norms_are_undecided(self):
        with pytest.raises(UndecidedError):
            one(gradient_spike, spiking((10,), steps=20))
