"""Rules on batch norm: its statistics in training and evaluation, its batches, its momentum."""

from __future__ import annotations

import math

import pytest

from builders import INPUT, Net
from gradoctor.records import Level
from gradoctor.rules.architecture.bn_frozen_mismatch import bn_frozen_mismatch
from gradoctor.rules.architecture.bn_small_batch import bn_small_batch
from gradoctor.rules.architecture.bn_train_eval_mismatch import bn_train_eval_mismatch
from gradoctor.rules.architecture.dropout_before_bn import dropout_before_bn
from gradoctor.rules.evidence import UndecidedError
from rules.evaluations import batch_norm, evaluated
from rules.structural.made import fact, one


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
