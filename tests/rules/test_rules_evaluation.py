"""Rules on evaluation beside training: overfitting, batch norm, preprocessing, modes."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from builders import INPUT, LOSS, LOSSFN, RUN, Net
from gradoctor.diagnosis import diagnose
from gradoctor.records import Level
from gradoctor.rules.architecture.bn_frozen_mismatch import bn_frozen_mismatch
from gradoctor.rules.architecture.bn_small_batch import bn_small_batch
from gradoctor.rules.architecture.bn_train_eval_mismatch import bn_train_eval_mismatch
from gradoctor.rules.architecture.dropout_before_bn import dropout_before_bn
from gradoctor.rules.data.overfitting import overfitting
from gradoctor.rules.data.preprocessing_mismatch import preprocessing_mismatch
from gradoctor.rules.evidence import UndecidedError
from gradoctor.rules.outcome.underfitting import underfitting
from gradoctor.rules.wiring.train_mode_while_evaluating import train_mode_while_evaluating
from rules.structural.made import fact, one

EPOCH = 20
PER_STEP = math.nan


def evaluated(
    net: Net,
    loss: Callable[[int], float],
    accuracy: Callable[[int], float] | None = None,
    *,
    every: int = EPOCH,
    function: str = "cross_entropy",
    line: int = 50,
) -> int:
    """Evaluate at every epoch; functions of the step."""
    site = net._add("lossfn", function, function, function=function, evaluation=True)

    def at(value: Callable[[int], float]) -> Callable[[int], float]:
        return lambda t: value(t) if t % every == 0 and t else PER_STEP

    net.each_step("eval.loss", site, at(loss))
    net.each_step("eval.samples", site, at(lambda t: 500.0))
    if accuracy is not None:
        net.each_step("eval.accuracy", site, at(accuracy))
    fact(net, "evaluation", site, line=line, function=function, passes=net.steps // every,
         batches=4, train_mode=0, norms_moved=0, modules=[], eval_called=True)  # fmt: skip
    fact(net, "loss_call", LOSSFN, factor=1.0)
    return site


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


def batch_norm(net: Net, **data: object) -> int:
    """A batch norm behind the second layer whose statistics agree with the data."""
    site = net._add(
        "module", "norm", "BatchNorm1d", order=2, role="norm", model="Net", params=[]
    )  # fmt: skip
    told = {"train": 300, "eval": 0, "usual_samples": 64, "fewest_samples": 64, "momentum": 0.1,
            "tracks": True}  # fmt: skip
    fact(net, "mode", site, **{**told, **data})
    for name in ("mean_gap", "var_gap", "var_ratio", "eval_mean_gap", "eval_var_gap",
                 "eval_var_ratio"):  # fmt: skip
        net.set(f"norm.{name}", site, 0.05)
    return site


class TestBatchNormMismatch:
    def net(self, *, evaluation: float = 2.4, gap: float = 0.9, place: str = "") -> Net:
        net = Net(steps=400)
        site = batch_norm(net)
        net.set(f"norm.{place}mean_gap", site, gap)
        evaluated(net, lambda t: evaluation)
        return net

    def test_running_statistics_are_off_and_evaluation_guesses(self):
        found = one(bn_train_eval_mismatch, self.net())
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["mean_gap"] == pytest.approx(0.9)

    def test_variance_counts_as_well(self):
        net = Net(steps=400)
        net.set("norm.var_gap", batch_norm(net), 2.0)
        evaluated(net, lambda t: 2.4)
        assert one(bn_train_eval_mismatch, net) is not None

    def test_the_first_batches_of_evaluation_may_hold_one_class(self):
        assert one(bn_train_eval_mismatch, self.net(place="eval_", gap=0.8)) is None
        assert one(bn_train_eval_mismatch, self.net(place="eval_", gap=1.5)) is not None

    def test_chance_of_small_batches(self):
        net = Net(steps=400)
        site = batch_norm(net, usual_samples=4)
        net.set("norm.mean_gap", site, 0.9)
        evaluated(net, lambda t: 2.4)
        assert one(bn_train_eval_mismatch, net) is None

    def test_no_harm_no_finding(self):
        assert one(bn_train_eval_mismatch, self.net(evaluation=0.5)) is None

    def test_training_data_that_is_evaluated_well_exonerates_the_mode(self):
        net = self.net()
        evaluated(net, lambda t: 0.48, line=60)
        assert one(bn_train_eval_mismatch, net) is None

    def test_an_overfitted_net_whose_statistics_agree(self):
        assert one(bn_train_eval_mismatch, self.net(gap=0.1)) is None

    def test_statistics_that_lag_behind_weights_in_full_motion(self):
        net = self.net().loss(lambda t: 2.3 if t < 350 else 0.3)
        found = one(bn_train_eval_mismatch, net)
        assert found is not None
        assert found.level == Level.SUSPECT
        assert ("too-early", True) in found.exclusions

    def test_other_inputs_are_another_disease(self):
        net = self.net()
        net.set("input.eval_shift", INPUT, 4.0)
        net.set("input.eval_scale", INPUT, 0.0)
        found = one(bn_train_eval_mismatch, net)
        assert found is not None
        assert found.level == Level.SUSPECT

    def test_without_evaluation_it_cannot_be_told(self):
        net = Net(steps=400)
        net.set("norm.mean_gap", batch_norm(net), 0.9)
        with pytest.raises(UndecidedError, match="no-evaluation"):
            one(bn_train_eval_mismatch, net)


class TestSmallBatch:
    def net(self, samples: int, steps: int = 400, **mode: object) -> Net:
        net = Net(steps=steps)
        batch_norm(net, usual_samples=samples, **mode)
        return net

    def test_two_values_are_suspected_at_once(self):
        found = one(bn_small_batch, self.net(2, 6, train=6))
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.SUSPECT, "two")
        assert one(bn_small_batch, self.net(2, 2, train=2)) is None
        assert one(bn_small_batch, self.net(4, 6, train=6)) is None

    @pytest.mark.parametrize(
        ("samples", "level"), [(2, Level.SICK), (4, Level.SICK), (8, Level.SUSPECT)]
    )
    def test_harm_decides(self, samples: int, level: Level):
        found = one(bn_small_batch, self.net(samples).stuck())
        assert found is not None
        assert (found.level, found.values["samples"]) == (level, samples)
        assert found.values["kind"] == "training"

    def test_without_harm_it_is_a_note(self):
        found = one(bn_small_batch, self.net(2))
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.NOTE, "harmless")

    def test_slow_learning_counts_with_four_values(self):
        for samples, level in ((4, Level.SICK), (8, Level.NOTE)):
            net = self.net(samples)
            net.loss(lambda t: math.log(10) * (0.6 + 0.4 * math.exp(-t / 200)), spread=0.01)
            found = one(bn_small_batch, net)
            assert found is not None
            assert found.level == level

    def test_many_values(self):
        assert one(bn_small_batch, self.net(32).stuck()) is None

    def test_frozen_norms_take_no_statistics(self):
        net = Net(steps=400).stuck()
        batch_norm(net, usual_samples=0, train=0, eval=300)
        assert one(bn_small_batch, net) is None


class TestDropoutBeforeNorm:
    def net(
        self, ratio: float = math.log2(0.6), evaluation: float = 0.5, order: float = 1.5
    ) -> Net:
        net = Net(steps=400)
        net.set("norm.eval_var_ratio", batch_norm(net), ratio)
        net._add("module", "drop", "Dropout", order=order, role="dropout", model="Net", p=0.3)
        evaluated(net, lambda t: evaluation)
        return net

    def test_a_shift_is_a_note_with_harm_a_suspicion(self):
        note, suspect = (one(dropout_before_bn, self.net(evaluation=e)) for e in (0.5, 2.4))
        assert note is not None
        assert suspect is not None
        assert (note.level, suspect.level) == (Level.NOTE, Level.SUSPECT)
        assert note.values["ratio"] == pytest.approx(0.6)
        assert note.values["p"] == 0.3

    def test_look_alikes(self):
        assert one(dropout_before_bn, self.net(ratio=0.1)) is None
        assert one(dropout_before_bn, self.net(order=4.5)) is None


class TestFrozenMismatch:
    @pytest.mark.parametrize(("momentum", "kind"), [(1e-4, "slow"), (0.99, "fast"), (0.0, "slow")])
    def test_momentum(self, momentum: float, kind: str):
        net = Net(steps=400)
        batch_norm(net, momentum=momentum)
        found = one(bn_frozen_mismatch, net)
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.NOTE, kind)
        evaluated(net, lambda t: 2.4)
        found = one(bn_frozen_mismatch, net)
        assert found is not None
        assert found.level == Level.SUSPECT

    @pytest.mark.parametrize("momentum", [0.1, 0.01, None])
    def test_usual_ones(self, momentum: float | None):
        net = Net(steps=400)
        batch_norm(net, momentum=momentum)
        assert one(bn_frozen_mismatch, net) is None

    def test_gain_and_bias_are_frozen_and_the_statistics_move(self):
        net = Net(steps=400)
        site = batch_norm(net)
        gain = net._add("parameter", "norm.weight", "Parameter", shape=[64], numel=64)
        net.change(site, params=[gain])
        fact(net, "wiring", gain, requires_grad=False)
        found = one(bn_frozen_mismatch, net)
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.NOTE, "statistics")


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
