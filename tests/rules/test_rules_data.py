"""Statistical rules of the data: 604 609 613 616."""

from __future__ import annotations

import math

import pytest

from builders import INPUT, LOSS, LOSSFN, RUN, Net
from gradoctor.diagnosis import diagnose
from gradoctor.records import Level
from gradoctor.rules.data.class_imbalance import class_imbalance
from gradoctor.rules.data.labels_independent_of_inputs import labels_independent_of_inputs
from gradoctor.rules.data.outlier_batch import outlier_batch
from gradoctor.rules.data.padding_dominated import padding_dominated
from rules.structural.made import called, one


class TestImbalance:
    def net(
        self, *, recall=0.0, said=0.0, imbalance=30.0, other=0.99, seen=40.0, steps=300, **data
    ):
        net = called(Net(steps=steps), **data)
        values = {"imbalance": imbalance, "rare_recall": recall, "frequent_recall": other,
                  "rare_share": said, "rare_seen": seen}  # fmt: skip
        for name, value in values.items():
            net.set(f"class.{name}", LOSSFN, value)
        return net

    def test_rare_classes_are_lost(self):
        found = one(class_imbalance, self.net())
        assert found is not None
        assert (found.level, found.line) == (Level.SUSPECT, 18)

    @pytest.mark.parametrize(
        "data", [{"recall": 0.3, "said": 0.5}, {"weighted": True}, {"recall": 0.05, "said": 0.9}]
    )
    def test_found_less_often_is_a_note(self, data):
        found = one(class_imbalance, self.net(**data))
        assert found is not None
        assert found.level == Level.NOTE

    @pytest.mark.parametrize(
        "data",
        [
            {"recall": 0.8, "said": 0.9},  # rare and found
            {"imbalance": 4.0},
            {"seen": 3.0},  # too few to tell
            {"steps": 120},
            {"recall": math.nan},
        ],
    )
    def test_look_alikes(self, data):
        assert one(class_imbalance, self.net(**data)) is None

    def test_tokens(self):
        net = self.net(target_shape=[640]).change(INPUT, shape=[64, 10])
        assert one(class_imbalance, net) is None

    def test_on_its_way(self):
        found = one(class_imbalance, self.net(recall=lambda t: t / 600, said=0.1))
        assert found is None or found.level == Level.NOTE


class TestOutliers:
    at = (60, 90, 140)

    def net(self, size: float, leap: float = 5.0, at: tuple[int, ...] = at) -> Net:
        net = Net()
        near = {min(net.looks, key=lambda s: abs(s - t)) for t in at}
        net.set("input.absmax", INPUT, lambda t: size if t in near else 3.0, spread=0.05)
        return net.loss(lambda t: 2.0 - t / 300 + (leap if t in near else 0), spread=0.01)

    def test_the_loss_leaps(self):
        found = one(outlier_batch, self.net(400.0))
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["count"] == found.values["leaps"] == 3
        assert found.values["usual"] == pytest.approx(3.0, rel=0.1)

    def test_without_an_effect_it_is_a_note(self):
        found = one(outlier_batch, self.net(400.0, leap=0.0))
        assert found is not None
        assert found.level == Level.NOTE

    @pytest.mark.parametrize("size", [3.0, 6.0, 20.0])
    def test_ordinary_batches(self, size):
        assert one(outlier_batch, self.net(size)) is None

    def test_a_heavy_tail(self):
        assert one(outlier_batch, self.net(400.0, at=tuple(range(0, 300, 6)))) is None


class TestPadding:
    def net(self, padding: float, labels: float) -> Net:
        return called(
            Net().set("input.padding", INPUT, padding).set("label.padding", LOSSFN, labels)
        )

    def test_counted(self):
        found = one(padding_dominated, self.net(0.7, 0.7))
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.SUSPECT, "counted")

    def test_masked(self):
        found = one(padding_dominated, self.net(0.7, 0.0))
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.NOTE, "masked")

    def test_some_padding(self):
        assert one(padding_dominated, self.net(0.3, 0.3)) is None


class TestIndependent:
    def net(self, *, producer: str = "addmm", snr: float = 0.8) -> Net:
        net = called(Net().stuck(), producer=producer).set("grad.snr", RUN, snr)
        for site in net.layers:
            net.set("act.centred_ratio", site, 0.5)
        return net

    def test_all_else_is_well(self):
        found = one(labels_independent_of_inputs, self.net())
        assert found is not None
        assert found.level == Level.SUSPECT

    def answering(self, *, size: float = 1.0, ratio: float = 0.9) -> Net:
        net = self.net().loss(lambda t: 2.32, spread=0.01)
        net.set("prediction.centred_ratio", LOSSFN, ratio)
        return net.set("prediction.rms", LOSSFN, size)

    def test_answers_that_differ_and_are_no_better_than_guesses(self):
        found = one(labels_independent_of_inputs, self.answering())
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.SUSPECT, "never")

    def test_answers_that_hardly_differ_yet(self):
        assert one(labels_independent_of_inputs, self.answering(size=0.05)) is None
        assert one(labels_independent_of_inputs, self.answering(ratio=0.02)) is None

    def test_a_loss_that_has_begun_to_fall(self):
        net = self.answering().loss(lambda t: 2.32 - 3e-4 * t, spread=0.01)
        assert one(labels_independent_of_inputs, net) is None

    def test_the_outcome_folds_under_it(self):
        found = {f.code: f for f in diagnose(self.net().build()).findings}
        assert found["GD616"].root
        assert "GD616" in found["GD509"].explained_by

    @pytest.mark.parametrize(
        "net", [{"producer": "native_layer_norm"}, {"producer": "relu"}, {"snr": 6.0}]
    )
    def test_another_cause(self, net):
        assert one(labels_independent_of_inputs, self.net(**net)) is None

    def test_dead_layers(self):
        net = self.net()
        net.set("act.centred_ratio", net.layers[2], 1e-3)
        assert one(labels_independent_of_inputs, net) is None

    def test_a_loss_that_creeps_down_is_no_chance(self):
        net = self.net()
        net.each_step("loss.value", LOSS, lambda t: 2.30 - 0.0001 * t + 0.002 * (-1) ** t)
        assert one(labels_independent_of_inputs, net) is None

    def test_nothing_moves(self):
        net = self.net()
        for site in net.weights:
            net.set("weight.movement", site, 1e-4)
        assert one(labels_independent_of_inputs, net) is None

    def test_it_learns(self):
        net = called(Net(), producer="addmm").set("grad.snr", RUN, 0.8)
        assert one(labels_independent_of_inputs, net) is None
