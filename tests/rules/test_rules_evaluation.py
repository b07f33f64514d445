"""Rules on evaluation beside training: overfitting, preprocessing, modes."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from builders import INPUT, LOSS, RUN, Net
from gradoctor.diagnosis import diagnose
from gradoctor.records import Level
from gradoctor.rules.data.overfitting import overfitting
from gradoctor.rules.data.preprocessing_mismatch import preprocessing_mismatch
from gradoctor.rules.evidence import UndecidedError
from gradoctor.rules.outcome.underfitting import underfitting
from gradoctor.rules.wiring.train_mode_while_evaluating import train_mode_while_evaluating
from rules.evaluations import evaluated
from rules.structural.made import fact, one


def sinking(t: int) -> float:
    return math.log(10) * (0.02 + 0.9 * math.exp(-t / 100))


def fallen_then_risen(t: int) -> float:
    return 1.0 + 1.2 * math.exp(-t / 40) + max(0, t - 200) / 300 + 0.02 * math.sin(t)


class TestOverfitting:
    def net(self) -> Net:
        return Net(steps=800).loss(sinking, spread=0.05)

    def test_evaluation_rises_and_answers_get_worse(self):
        net = self.net()
        site = evaluated(net, fallen_then_risen, lambda t: 0.8 - max(0, t - 200) / 5000)
        found = one(overfitting, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.sites == (site,)
        assert found.values["kind"] == "overfit"
        assert 140 <= found.values["best_step"] <= 260
        assert found.values["last"] > 1.5 * found.values["best"]

    def test_as_many_right_answers_are_only_too_sure(self):
        net = self.net()
        evaluated(net, fallen_then_risen, lambda t: 0.8)
        found = one(overfitting, net)
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.NOTE, "overconfident")

    def test_a_slight_rise_is_a_suspicion(self):
        net = self.net()
        evaluated(
            net,
            lambda t: 1.0 + 1.2 * math.exp(-t / 40) + max(0, t - 200) / 1800,
            lambda t: 0.8 - max(0, t - 200) / 5000,
        )
        found = one(overfitting, net)
        assert found is not None
        assert found.level == Level.SUSPECT

    def test_the_best_weights_were_kept(self):
        net = self.net()
        evaluated(net, fallen_then_risen, lambda t: 0.8 - max(0, t - 200) / 5000)
        fact(net, "checkpoint", key="Net", first_step=20, last_step=200, count=7)
        found = one(overfitting, net)
        assert found is not None
        assert found.level == Level.NOTE
        assert found.exclusions == (("kept-best", True),)

    def test_weights_that_are_kept_at_every_epoch_are_no_excuse(self):
        net = self.net()
        evaluated(net, fallen_then_risen, lambda t: 0.8 - max(0, t - 200) / 5000)
        fact(net, "checkpoint", key="Net", first_step=20, last_step=799, count=40)
        found = one(overfitting, net)
        assert found is not None
        assert found.level == Level.SICK

    @pytest.mark.parametrize(
        "loss",
        [
            lambda t: 2.0 + 0.02 * math.sin(t),  # a gap that stays
            lambda t: 1.0 + 1.2 * math.exp(-t / 200),  # falling
            lambda t: 1.0 + 1.2 * math.exp(-t / 100) + 0.2 * math.sin(1.7 * t),  # noise
            lambda t: fallen_then_risen(min(t, 700)) if t > 700 else 1.0,  # at the very end
        ],
    )
    def test_look_alikes(self, loss: Callable[[int], float]):
        net = self.net()
        evaluated(net, loss, lambda t: 0.8)
        assert one(overfitting, net) is None

    def test_training_that_gets_worse_too_is_something_else(self):
        net = Net(steps=800).loss(lambda t: 1.0 + max(0, t - 200) / 300, spread=0.05)
        evaluated(net, fallen_then_risen, lambda t: 0.8 - max(0, t - 200) / 5000)
        assert one(overfitting, net) is None

    def test_without_evaluation_it_is_skipped(self):
        for net, why in ((Net(), "no-evaluation"), (self.net(), "few-evaluations:4/8")):
            if why != "no-evaluation":
                evaluated(net, sinking, every=160)
            skipped = {s.code: s.why for s in diagnose(net.build()).skipped}
            assert skipped["GD610"] == why

    def test_another_loss_function_is_a_metric(self):
        net = self.net()
        evaluated(net, fallen_then_risen, function="l1_loss")
        with pytest.raises(UndecidedError, match="no-evaluation"):
            one(overfitting, net)


class TestPreprocessing:
    def net(self, shift: float, scale: float, evaluation: float = 2.4) -> Net:
        net = Net(steps=400)
        evaluated(net, lambda t: evaluation)
        net.set("input.eval_shift", INPUT, shift)
        net.set("input.eval_scale", INPUT, scale)
        net.set("input.eval_samples", INPUT, 256)
        return fact(net, "eval_input", INPUT, line=70, shape=[64, 10])

    def test_raw_inputs_in_evaluation(self):
        found = one(preprocessing_mismatch, self.net(30.0, 8.0))
        assert found is not None
        assert (found.level, found.line) == (Level.SUSPECT, 70)
        assert found.values["factor"] == 256.0

    def test_without_harm_or_grave_shift_it_is_a_note(self):
        for net in (self.net(30.0, 8.0, evaluation=0.5), self.net(1.2, 0.0)):
            found = one(preprocessing_mismatch, net)
            assert found is not None
            assert found.level == Level.NOTE

    def test_augmentation_and_chance(self):
        assert one(preprocessing_mismatch, self.net(0.3, -0.4)) is None


class TestTrainModeWhileEvaluating:
    def net(self, **changes: object) -> Net:
        net = Net(steps=400)
        site = evaluated(net, lambda t: 0.5)
        told = net.facts[-2].data | {"train_mode": 20, "norms_moved": 0, "eval_called": False}
        net.facts = [f for f in net.facts if f.kind != "evaluation"]
        told |= {"modules": ["bn", "drop"], **changes}
        return fact(net, "evaluation", site, line=50, last_step=399, **told)

    @pytest.mark.parametrize(
        ("changes", "level"),
        [
            ({"norms_moved": 3}, Level.SICK),
            ({"norms_moved": 3, "eval_called": True}, Level.SUSPECT),
            ({}, Level.SUSPECT),
            ({"passes": 1, "train_mode": 1, "batches": 4, "norms_moved": 1}, Level.SUSPECT),
            ({"passes": 300, "train_mode": 300}, Level.NOTE),
        ],
    )
    def test_levels(self, changes: dict[str, object], level: Level):
        found = one(train_mode_while_evaluating, self.net(**changes))
        assert found is not None
        assert (found.level, found.line) == (level, 50)

    @pytest.mark.parametrize(
        "changes",
        [
            {"train_mode": 0},
            {"train_mode": 1},
            {"passes": 40},
            {"passes": 1, "train_mode": 1, "batches": 4},  # no norm
            {"passes": 1, "train_mode": 1, "batches": 1, "norms_moved": 1},
        ],
    )
    def test_mostly_in_eval_mode(self, changes: dict[str, object]):
        assert one(train_mode_while_evaluating, self.net(**changes)) is None

    def test_another_evaluation_was_in_eval_mode(self):
        net = self.net(norms_moved=3)
        evaluated(net, lambda t: 0.5, line=60)
        found = one(train_mode_while_evaluating, net)
        assert found is not None
        assert found.level == Level.NOTE


class TestUnderfitting:
    def net(self, at: float, evaluation: float) -> Net:
        net = Net(steps=1500).loss(lambda t: at, spread=0.02)
        net.set("grad.snr", RUN, 1.0)
        net.each_step("loss.nonfinite", LOSS, 0.0)
        evaluated(net, lambda t: evaluation)
        return net

    def test_both_stand_still(self):
        found = one(underfitting, self.net(1.5, 1.55))
        assert found is not None
        assert found.level == Level.NOTE

    @pytest.mark.parametrize(("at", "evaluation"), [(0.2, 0.2), (1.5, 2.2), (2.29, 2.3)])
    def test_good_gapped_or_stuck(self, at: float, evaluation: float):
        assert one(underfitting, self.net(at, evaluation)) is None
