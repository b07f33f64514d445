"""Rules on what goes in: the scale of inputs, and the order of labels."""

from __future__ import annotations

import pytest

from builders import INPUT, LOSSFN, Net
from gradoctor.records import Fact, Level
from gradoctor.rules.data.input_unnormalised import input_unnormalised
from gradoctor.rules.data.not_shuffled import not_shuffled
from gradoctor.rules.evidence import UndecidedError
from rules.structural.made import one


class TestInputs:
    def unscaled(self, net: Net) -> Net:
        net.set("input.feature_mean", INPUT, 128.0).set("input.feature_std", INPUT, 90.0)
        net.set("act.rms", net.layers[0], 80.0)
        return net

    def test_unscaled_and_stuck(self):
        found = one(input_unnormalised, self.unscaled(Net().stuck()))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["first"] == "layers.0"

    def test_unscaled_and_learning_is_a_note(self):
        found = one(input_unnormalised, self.unscaled(Net()))
        assert found is not None
        assert found.level == Level.NOTE

    def test_stuck_for_another_reason_is_a_note(self):
        net = Net().stuck().set("input.feature_mean", INPUT, 12.0)
        found = one(input_unnormalised, net)
        assert found is not None
        assert found.level == Level.NOTE

    @pytest.mark.parametrize("meta", [{"first_role": "norm"}, {"kind": "ids"}])
    def test_norm_first_or_ids(self, meta):
        assert one(input_unnormalised, self.unscaled(Net().stuck()).change(INPUT, **meta)) is None

    def test_few_samples_prove_nothing(self):
        net = self.unscaled(Net().stuck()).set("input.samples", INPUT, 32.0)
        assert one(input_unnormalised, net) is None


class TestOrder:
    def loader(self, net: Net, sampler: str) -> Net:
        data = {"sampler": sampler, "shuffle": False, "batch_size": 64, "batches": 300}
        net.facts.append(Fact("loader", None, "", "train.py", 7, data=data))
        return net

    def test_sorted_labels(self):
        net = self.loader(Net(), "SequentialSampler").set("label.entropy", LOSSFN, 0.07, spread=0.3)
        found = one(not_shuffled, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.line == 7

    def test_in_order_but_random_is_a_note(self):
        found = one(not_shuffled, self.loader(Net(), "SequentialSampler"))
        assert found is not None
        assert found.level == Level.NOTE

    def test_a_sampler_of_ones_own_is_suspect(self):
        net = self.loader(Net(), "ClassBalanced").set("label.entropy", LOSSFN, 0.7, spread=0.05)
        found = one(not_shuffled, net)
        assert found is not None
        assert found.level == Level.SUSPECT

    @pytest.mark.parametrize("shape", [[64, 28, 28], [2048]])
    def test_labels_of_pixels_and_tokens_are_not_judged(self, shape):
        net = self.loader(Net(), "RandomSampler").set("label.entropy", LOSSFN, 0.7, spread=0.05)
        net.change(INPUT, shape=[64, 32])
        net.facts.append(Fact("loss_call", LOSSFN, data={"target_shape": shape}))
        with pytest.raises(UndecidedError, match="structured"):
            one(not_shuffled, net)

    @pytest.mark.parametrize(("entropy", "level"), [(0.05, Level.SICK), (0.7, Level.SUSPECT)])
    def test_without_a_loader_single_classes_prove_more_than_a_few_mixed(self, entropy, level):
        found = one(not_shuffled, Net().set("label.entropy", LOSSFN, entropy, spread=0.02))
        assert found is not None
        assert found.level == level

    def test_a_loader_that_shuffles_the_classes_of_a_client(self):
        net = self.loader(Net(), "RandomSampler").set("label.entropy", LOSSFN, 0.7, spread=0.05)
        assert one(not_shuffled, net) is None

    def test_shuffled_is_silent(self):
        assert one(not_shuffled, self.loader(Net(), "RandomSampler")) is None
