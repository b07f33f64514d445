"""What the loss asks for, and of what it is a sum: 506 508 512 513 519."""

from __future__ import annotations

import math

import pytest

from builders import INPUT, LOSS, LOSSFN, OPTIMIZER, RUN, Net
from gradoctor.records import Level
from gradoctor.rules.losses.ignored_targets import ignored_targets
from gradoctor.rules.losses.mse_for_classification import mse_for_classification
from gradoctor.rules.losses.output_activation_mismatch import output_activation_mismatch
from gradoctor.rules.losses.reduction_mistake import reduction_mistake
from gradoctor.rules.losses.shifted_labels import shifted_labels
from rules.structural.made import called, fact, judged, one

BINARY = "binary_cross_entropy_with_logits"


class TestSquaredClasses:
    def net(self, *, rms: float = 0.25, gain: float = 0.8, steps: int = 300, **data: object) -> Net:
        net = Net(steps=steps).loss(lambda t: 0.09 * (1 - gain * t / 300))
        net.set("lossfn.baseline", LOSSFN, 0.09).set("target.mean", LOSSFN, 0.1)
        net.set("prediction.mean", LOSSFN, 0.1).set("prediction.rms", LOSSFN, rms)
        told = {"producer": "softmax", "binary": True, "target_shape": [64, 10]}
        return called(net, **{"function": "mse_loss", **told, **data})

    def test_it_learns(self):
        found = one(mse_for_classification, self.net())
        assert found is not None
        assert found.level == Level.NOTE
        assert found.values["kind"] == "slow"

    def test_sure_and_wrong(self):
        found = one(mse_for_classification, self.net(rms=0.3, gain=-0.4))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["slope"] == pytest.approx(0.01 / 0.09, rel=1e-3)
        assert found.line == 18

    def test_a_start_that_is_sure_and_wrong_is_a_suspicion(self):
        for rms, gain, level in ((0.3, -0.4, Level.SUSPECT), (0.3, 0.4, Level.NOTE),
                                 (0.11, -0.4, Level.NOTE)):  # fmt: skip
            net = self.net(rms=rms, gain=gain, steps=6).loss(lambda t, g=gain: 0.09 * (1 - g))
            found = one(mse_for_classification, net)
            assert found is not None
            assert found.level == level

    def test_unsure_and_bad_has_another_cause(self):
        found = one(mse_for_classification, self.net(rms=0.11, gain=-0.4))
        assert found is not None
        assert found.level == Level.NOTE

    @pytest.mark.parametrize(
        "data",
        [{"producer": "addmm"}, {"binary": False}, {"target_shape": [64, 1, 28, 28]},
         {"function": "l1_loss"}],
    )  # fmt: skip
    def test_look_alikes(self, data):
        net = self.net(**data)
        assert one(mse_for_classification, net) is None

    def test_an_autoencoder(self):
        net = self.net().change(INPUT, shape=[64, 10])
        assert one(mse_for_classification, net) is None


class TestRange:
    def net(
        self, outside: float = 0.5, beyond: float = 0.4, steps: int = 300, **data: object
    ) -> Net:
        net = (
            Net(steps=steps)
            .set("target.outside", LOSSFN, outside)
            .set("target.beyond", LOSSFN, beyond)
        )
        net.set("target.std", LOSSFN, 1.0)
        told = {"producer": "relu", "producer_file": "train.py", "producer_line": 7, **data}
        return called(net, **{"function": "mse_loss", **told})

    def test_targets_below_zero(self):
        found = one(output_activation_mismatch, self.net())
        assert found is not None
        assert (found.level, found.line) == (Level.SICK, 7)
        assert found.values["kind"] == "targets"
        assert found.values["floor"] == pytest.approx(0.4)

    def test_three_batches_prove_it(self):
        found = one(output_activation_mismatch, self.net(steps=3))
        assert found is not None
        assert (found.level, found.line) == (Level.SICK, 7)
        assert one(output_activation_mismatch, self.net(steps=2)) is None
        assert one(output_activation_mismatch, self.net(0.0, 0.0, steps=6)) is None

    def test_a_few_targets_just_outside(self):
        found = one(output_activation_mismatch, self.net(0.03, 0.01))
        assert found is not None
        assert found.level == Level.SUSPECT

    def test_stray_targets(self):
        assert one(output_activation_mismatch, self.net(0.005, 0.01)) is None

    @pytest.mark.parametrize(
        ("function", "made", "floor"),
        [
            ("cross_entropy", "tanh", math.log(1 + 9 * math.exp(-2))),
            (BINARY, "tanh", math.log(1 + math.exp(-1))),
            (BINARY, "relu", math.log(2)),
        ],
    )
    def test_bounded_logits(self, function, made, floor):
        net = called(Net().loss(lambda t: floor + math.exp(-t / 40)), function, producer=made)
        found = one(output_activation_mismatch, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["floor"] == pytest.approx(floor)

    def test_bounded_logits_that_are_still_far_from_the_floor(self):
        net = called(Net().loss(lambda t: 2.3 - t / 600), BINARY, producer="tanh")
        found = one(output_activation_mismatch, net)
        assert found is not None
        assert found.level == Level.SUSPECT

    @pytest.mark.parametrize(
        ("function", "made"),
        [("cross_entropy", "mul"), ("cross_entropy", "addmm"), (BINARY, "sigmoid"),
         ("nll_loss", "log_softmax")],
    )  # fmt: skip
    def test_free_logits(self, function, made):
        assert one(output_activation_mismatch, called(Net(), function, producer=made)) is None

    def relu(self, dead: float) -> Net:
        net = Net().loss(lambda t: 1.9)
        name = net.sites[net.activations[-1]].name
        net.set("act.dead_fraction", net.activations[-1], lambda t: dead if t > 20 else math.nan)
        return called(net, producer="relu", producer_module=name)

    def test_relu_kills_a_class(self):
        found = one(output_activation_mismatch, self.relu(0.2))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "dead_class"

    def test_relu_that_spares_all_classes(self):
        assert one(output_activation_mismatch, self.relu(0.0)) is None

    def test_relu_on_logits_that_converged(self):
        net = self.relu(0.2).loss(lambda t: 2.3 * math.exp(-t / 20))
        assert one(output_activation_mismatch, net) is None


class TestIgnored:
    def net(self, ignored, **data: object) -> Net:
        told = {"ignore_index": -100, "classes": 10, "target_shape": [64], **data}
        return called(Net().set("target.ignored", LOSSFN, ignored), **told)

    def empty(self, steps: set[int]) -> Net:
        net = self.net(lambda t: 1.0 if t in steps else 0.8)
        return net.each_step("loss.nonfinite", LOSS, lambda t: float(t in steps))

    def test_batches_without_a_target(self):
        found = one(ignored_targets, self.empty({7, 20, 33, 41}))
        assert found is not None
        assert (found.level, found.first_step) == (Level.SICK, 7)
        assert found.values["kind"] == "empty_batch"
        assert found.values["batches"] == 4

    def test_one_of_them(self):
        found = one(ignored_targets, self.empty({7}))
        assert found is not None
        assert found.level == Level.SUSPECT

    def test_an_empty_batch_that_does_no_harm(self):
        net = self.net(lambda t: 1.0 if t == 7 else 0.8)
        assert one(ignored_targets, net) is None

    def test_hardly_a_target(self):
        found = one(ignored_targets, self.net(0.995))
        assert found is not None
        assert found.level == Level.NOTE
        net = self.net(0.995).stuck()
        found = one(ignored_targets, net)
        assert found is not None
        assert found.level == Level.SUSPECT

    def test_a_class_is_the_mark(self):
        net = self.net(0.1, ignore_index=0).change(INPUT, shape=[64, 20])
        found = one(ignored_targets, net)
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["kind"] == "class"

    @pytest.mark.parametrize(
        ("kind", "data"),
        [
            ("ids", {"ignore_index": 0}),  # padded tokens
            (
                "float",
                {"ignore_index": 0, "target_shape": [64, 32, 32]},
            ),  # a map without background
            ("float", {"ignore_index": -100}),
            ("float", {"ignore_index": 0, "target_shape": [64 * 30]}),  # flattened frames
        ],
    )
    def test_look_alikes(self, kind, data):
        net = self.net(0.1, **data).change(INPUT, shape=[64, 20], kind=kind)
        assert one(ignored_targets, net) is None


class TestReduction:
    def net(
        self, factor: float, lr: float = 0.1, *, optimizer: str = "SGD", steps: int = 300
    ) -> Net:
        net = Net(optimizer=optimizer, steps=steps).each_step("lr", OPTIMIZER, lr)
        net.set("lossfn.coefficient", LOSSFN, factor).each_step("batch.size", RUN, 64.0)
        return called(net)

    def test_summed_and_diverged(self):
        net = self.net(64.0).loss(lambda t: 2.3 if t < 30 else 9.0)
        found = one(reduction_mistake, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["kind"] == "summed"
        assert found.values["rate"] == pytest.approx(6.4)

    def test_a_sum_that_rises_from_the_first_steps_on_is_a_suspicion(self):
        found = one(reduction_mistake, self.net(64.0, steps=6).loss(lambda t: 2.3 + t))
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.SUSPECT, "summed")
        for factor, rate in ((64.0, 0.001), (1.0, 0.1)):
            net = self.net(factor, rate, steps=6).loss(lambda t: 2.3 + t)
            assert one(reduction_mistake, net) is None
        assert one(reduction_mistake, self.net(64.0, steps=6).loss(lambda t: 2.3 - t / 9)) is None

    def test_divided_twice(self):
        net = self.net(1 / 64, 0.01).loss(lambda t: 2.3 - t / 2000)
        found = one(reduction_mistake, net)
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.SICK, "divided")

    @pytest.mark.parametrize(
        ("factor", "lr", "optimizer"),
        [(1.0, 9.0, "SGD"), (64.0, 0.001, "SGD"), (64.0, 0.1, "AdamW"), (33.0, 0.1, "SGD")],
    )
    def test_other_reasons_to_diverge(self, factor, lr, optimizer):
        net = self.net(factor, lr, optimizer=optimizer).loss(lambda t: 2.3 if t < 30 else 9.0)
        assert one(reduction_mistake, net) is None

    def test_a_sum_that_does_no_harm(self):
        assert one(reduction_mistake, self.net(64.0)) is None

    def test_accumulated_over_as_many_batches(self):
        net = self.net(1 / 64, 0.01).loss(lambda t: 2.3 - t / 2000)
        net.each_step("backward.count", RUN, 64.0)
        assert one(reduction_mistake, net) is None


class TestShift:
    def net(self, *, causal: str = "mask", **shares: float) -> Net:
        net = called(Net())
        for name in ("copy", "next", "after_next", "previous"):
            net.set(f"label.{name}", LOSSFN, shares.get(name, 0.1))
        if causal:
            fact(net, "causal", None, key=causal, how=causal)
        return net

    @pytest.mark.parametrize(
        ("name", "kind"), [("copy", "none"), ("after_next", "double"), ("previous", "backward")]
    )
    def test_behind_a_mask(self, name, kind):
        found = one(shifted_labels, self.net(**{name: 1.0}))
        assert found is not None
        assert (found.level, found.line) == (Level.SICK, 18)
        assert found.values == {"kind": kind, "share": 1.0}

    def recurrent(self, net: Net, count: int) -> Net:
        for i in range(count):
            net._add("module", f"rnn{i}", "GRU", order=50 + i, role="recurrent", model="Net")
        return net

    def test_one_recurrent_net_shifted_twice(self):
        found = one(shifted_labels, self.recurrent(self.net(causal="recurrent", after_next=1.0), 1))
        assert found is not None
        assert found.level == Level.SICK

    @pytest.mark.parametrize(
        ("causal", "name", "count"),
        [
            ("", "copy", 0),  # an autoencoder of texts
            ("recurrent", "copy", 1),  # an echo
            ("recurrent", "previous", 1),  # a test of memory
            ("recurrent", "after_next", 2),  # encoder and decoder
        ],
    )
    def test_what_may_be_meant_is_a_note(self, causal, name, count):
        found = one(shifted_labels, self.recurrent(self.net(causal=causal, **{name: 1.0}), count))
        assert found is not None
        assert found.level == Level.NOTE

    def test_a_run_that_has_just_begun(self):
        net = self.net(next=1.0, copy=1.0)
        for columns in net.rows.values():
            for site, values in columns.items():
                columns[site] = values[:5]
        net.looks = net.looks[:5]
        assert judged(shifted_labels, net) == []

    def test_shifted_once(self):
        assert judged(shifted_labels, self.net(next=1.0)) == []

    def test_text_that_repeats_itself(self):
        assert judged(shifted_labels, self.net(next=0.95, copy=1.0, after_next=1.0)) == []

    def test_not_all_labels(self):
        assert judged(shifted_labels, self.net(copy=0.9)) == []
