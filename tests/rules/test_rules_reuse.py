"""What is used twice, edited by hand, kept, copied or left idle: 206 312 422 708 709 814 9xx."""

from __future__ import annotations

import math

import pytest

from builders import INPUT, LOSS, LOSSFN, OPTIMIZER, Net
from gradoctor.records import Level
from gradoctor.rules.activations.massive_activations import massive_activations
from gradoctor.rules.architecture.tying_broken import tying_broken
from gradoctor.rules.data.repeated_batch import repeated_batch
from gradoctor.rules.initialisation.lstm_forget_bias import lstm_forget_bias
from gradoctor.rules.losses.bce_range import bce_range
from gradoctor.rules.losses.label_range import label_range
from gradoctor.rules.losses.target_unscaled import target_unscaled
from gradoctor.rules.numerics.half_precision_reduction import half_precision_reduction
from gradoctor.rules.numerics.unstable_op import unstable_op
from gradoctor.rules.optimisation.fresh_optimizer_state import fresh_optimizer_state
from gradoctor.rules.wiring.double_step import double_step
from gradoctor.rules.wiring.edited_weights import edited_weights
from gradoctor.rules.wiring.graph_retention import graph_retention
from gradoctor.rules.wiring.unused_module import unused_module
from rules.structural.made import called, cycle, fact, one, optimizer, wire

ALTERNATING = tuple(
    cycle("zero_grad backward step" if i % 2 == 0 else "step", i, i) for i in range(60)
)


class TestUnstableOp:
    @staticmethod
    def risky(**changes: object) -> Net:
        data = {"op": "log", "room": 90.0, "operand": 1e-9, "near": 0, "looks": 60, "made": "add"}
        return fact(Net(), "risky", line=17, **{**data, **changes})

    def test_an_operand_next_to_the_edge(self):
        found = one(unstable_op, self.risky(op="sqrt", room=1.5, near=3))
        assert found is not None
        assert (found.level, found.line, found.values["kind"]) == (Level.SUSPECT, 17, "edge")

    @pytest.mark.parametrize("made", ["softmax", "sigmoid"])
    def test_the_log_of_a_probability_is_noted(self, made):
        found = one(unstable_op, self.risky(made=made))
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.NOTE, f"log_{made}")

    @pytest.mark.parametrize("changes", [{}, {"near": 2}, {"op": "div", "made": "softmax"}])
    def test_not_told(self, changes):
        assert one(unstable_op, self.risky(**changes)) is None

    def test_what_has_broken_is_told_elsewhere(self):
        net = fact(self.risky(near=20), "nonfinite", where="forward", op="log")
        assert one(unstable_op, net) is None


class TestHalfPrecisionReduction:
    @pytest.mark.parametrize(
        ("dtype", "rows", "told"),
        [("bfloat16", 64, True), ("bfloat16", 16, False), ("float16", 64, False),
         ("float16", 256, True), ("float32", 999, False)],
    )  # fmt: skip
    def test_by_type_and_number_of_terms(self, dtype, rows, told):
        net = called(Net().change(LOSS, dtype=dtype), prediction_shape=[rows, 10])
        found = one(half_precision_reduction, net)
        assert (found is not None) == told
        if found is not None:
            assert (found.level, found.values["terms"]) == (Level.NOTE, rows * 10)


class TestTyingBroken:
    @staticmethod
    def pair(**changes: object) -> Net:
        net = Net()
        first, last = net.weights[0], net.weights[-1]
        net.change(first, role="embedding")
        data = {"twin": first, "later": False, "tied": True, **changes}
        return fact(wire(net), "cloned", last, **data)

    def test_a_copied_embedding(self):
        found = one(tying_broken, self.pair())
        assert found is not None
        assert (found.level, found.values["embedding"]) == (Level.SUSPECT, "layers.0.weight")

    def test_nobody_speaks_of_tying(self):
        found = one(tying_broken, self.pair(tied=False))
        assert found is not None
        assert found.level == Level.NOTE

    @pytest.mark.parametrize("later", [True, None])
    def test_they_have_not_parted(self, later):
        assert one(tying_broken, self.pair(later=later)) is None

    def test_one_of_them_does_not_train(self):
        net = self.pair()
        assert one(tying_broken, wire(net, net.weights[0], optimizer=None)) is None

    def test_two_layers_of_one_kind(self):
        net = self.pair()
        assert one(tying_broken, net.change(net.weights[0], role="matmul")) is None


class TestUnusedModule:
    def test_weights_that_no_forward_used(self):
        net = Net()
        wire(wire(net), net.weights[2], used=False, grads=0)
        found = one(unused_module, net)
        assert found is not None
        assert (found.level, found.values["module"]) == (Level.NOTE, "layers.2")

    @pytest.mark.parametrize(
        "changes",
        [{"used": True}, {"grads": 3}, {"optimizer": None}, {"requires_grad": False},
         {"moved_unowned": True}],
    )  # fmt: skip
    def test_not_told(self, changes):
        net = Net()
        wire(wire(net), net.weights[2], **{"used": False, "grads": 0, **changes})
        assert one(unused_module, net) is None

    def test_an_epoch_is_waited_for(self):
        net = fact(Net(), "loader", length=900)
        wire(wire(net), net.weights[2], used=False, grads=0)
        assert one(unused_module, net) is None


class TestDoubleStep:
    def test_every_second_step_has_no_backward(self):
        net = optimizer(Net(), repeated=25, steps=60)
        found = one(double_step, net, ALTERNATING)
        assert found is not None
        assert (found.level, found.values["kind"], found.line) == (Level.SICK, "step", 22)
        assert found.values["share"] == pytest.approx(0.5)

    @pytest.mark.parametrize("changes", [{"repeated": 0}, {"closure": True}, {"repeated": 1}])
    def test_other_gradients_or_a_closure(self, changes):
        net = optimizer(Net(), **{"repeated": 25, "steps": 60, **changes})
        assert one(double_step, net, ALTERNATING) is None

    def test_seen_twice_so_far(self):
        found = one(double_step, optimizer(Net(), repeated=2, steps=5), ALTERNATING)
        assert found is not None
        assert found.level == Level.SUSPECT

    def test_cleared_between_or_with_a_backward(self):
        for words in ("zero_grad backward step zero_grad step", "backward step backward step"):
            assert one(double_step, optimizer(Net(), repeated=25), words) is None

    def test_two_optimizers_share_a_backward(self):
        net = optimizer(Net(), repeated=25)
        assert one(double_step, net, "zero_grad backward step step:9") is None

    @pytest.mark.parametrize(("kind", "level"), [("SGD", Level.SUSPECT), ("Adam", Level.NOTE)])
    def test_two_backwards_of_one_loss(self, kind, level):
        net = Net(optimizer=kind)
        found = one(double_step, fact(net, "doubled", line=20, count=len(net.looks)))
        assert found is not None
        assert (found.level, found.values["kind"]) == (level, "backward")

    def test_two_backwards_now_and_then(self):
        assert one(double_step, fact(Net(), "doubled", line=20, count=8)) is None


class TestEditedWeights:
    @staticmethod
    def edited(net: Net, weights: int = 9, **changes: object) -> Net:
        for weight in net.weights[:weights]:
            data = {"checked": 49, "edited": 49, "undone": 49, "op": "copy_", **changes}
            fact(wire(net), "edited", weight, line=33, **data)
        return net

    def test_each_step_is_taken_back_and_nothing_is_learnt(self):
        found = one(edited_weights, self.edited(Net(steps=600).stuck()))
        assert found is not None
        assert (found.level, found.values["kind"], found.line) == (Level.SICK, "undone", 33)

    def test_the_loss_falls_all_the_same(self):
        found = one(edited_weights, self.edited(Net(steps=600)))
        assert found is not None
        assert found.level == Level.SUSPECT

    @pytest.mark.parametrize(("checked", "level"), [(2, None), (3, Level.SUSPECT)])
    def test_taken_back_from_the_start(self, checked, level):
        net = self.edited(Net(steps=600).stuck(), checked=checked, edited=checked, undone=checked)
        found = one(edited_weights, net)
        assert (found.level if found is not None else None) == level

    def test_a_state_is_loaded_each_time(self):
        net = self.edited(Net(steps=600).stuck(), op="load_state_dict")
        found = one(edited_weights, net)
        assert found is not None
        assert found.level == Level.SUSPECT

    def test_few_weights_or_changes_that_last_are_noted(self):
        for net in (self.edited(Net(), weights=2), self.edited(Net(), undone=3)):
            found = one(edited_weights, net)
            assert found is not None
            assert (found.level, found.values["kind"]) == (Level.NOTE, "edited")

    def test_an_embedding_that_rescales_its_rows(self):
        net = self.edited(Net(), weights=1, undone=0, op="")
        assert one(edited_weights, net) is not None
        assert one(edited_weights, net.change(net.weights[0], role="embedding")) is None

    @pytest.mark.parametrize(
        "changes", [{"op": "clamp_"}, {"op": "mul_"}, {"op": "add_"}, {"edited": 9}, {"checked": 5}]
    )
    def test_not_told(self, changes):
        assert one(edited_weights, self.edited(Net(), **{"undone": 0, **changes})) is None


class TestGraphRetention:
    @pytest.mark.parametrize(
        ("graphs", "share", "buffers", "level"),
        [(300, 1.0, True, Level.SUSPECT), (300, 1.0, False, Level.NOTE), (90, 1.0, True, None),
         (300, 0.5, True, None)],
    )  # fmt: skip
    def test_by_number_and_content(self, graphs, share, buffers, level):
        net = fact(Net(), "retained", graphs=graphs, share=share, buffers=buffers, variable="s")
        found = one(graph_retention, net)
        assert (found.level if found is not None else None) == level


class TestFreshOptimizerState:
    @pytest.mark.parametrize(
        ("kind", "taken", "told"), [("Adam", 0, True), ("Adam", 1, False), ("SGD", 0, False)]
    )
    def test_what_was_taken_from_the_file(self, kind, taken, told):
        net = fact(Net(optimizer=kind), "resumed", key="optim", line=9, models=1, optimizers=taken)
        found = one(fresh_optimizer_state, net)
        assert (found is not None) == told
        if found is not None:
            assert (found.level, found.values["key"]) == (Level.NOTE, "optim")

    @pytest.mark.parametrize(
        ("kind", "remade", "steps", "told"),
        [("Adam", 299, 300, True), ("SGD", 299, 300, False), ("Adam", 59, 300, False),
         ("Adam", 4, 5, False)],
        ids=["each step", "nothing to forget", "five steps a task", "a few models"],
    )  # fmt: skip
    def test_made_anew(self, kind, remade, steps, told):
        net = fact(Net(optimizer=kind), "optimizer", OPTIMIZER, steps=steps, remade=remade)
        found = one(fresh_optimizer_state, net)
        assert (found is not None) == told
        if found is not None:
            assert (found.level, found.values["kind"]) == (Level.SUSPECT, "remade")


class TestMassiveActivations:
    @pytest.mark.parametrize(
        ("largest", "room", "told"), [(9000.0, 2.9, True), (9000.0, 6.0, False), (9.0, 3.0, False)]
    )
    def test_by_size_and_room(self, largest, room, told):
        net = Net()
        net.set("act.absmax", net.layers[3], largest).set("act.headroom", net.layers[3], room)
        found = one(massive_activations, net)
        assert (found is not None) == told


class TestForgetBias:
    @staticmethod
    def recurrent(bias: float, bits: float) -> Net:
        net = Net().stuck()
        layer = net.layers[0]
        for _ in range(2):
            made = net._add("parameter", "lstm.bias", "LSTM", shape=[64], role="bias")
            fact(net, "forget_gate", made, mean=bias / 2)
            net.change(layer, params=[*net.sites[layer].meta["params"], made])
        net.set("time.slope", layer, bits / 50).set("time.length", layer, 50.0)
        return net

    @pytest.mark.parametrize(
        ("bias", "bits", "told"), [(0.0, 40.0, True), (1.0, 40.0, False), (0.0, 5.0, False)]
    )
    def test_by_bias_and_decay(self, bias, bits, told):
        found = one(lstm_forget_bias, self.recurrent(bias, bits))
        assert (found is not None) == told
        if found is not None:
            assert found.level == Level.NOTE

    def test_without_harm(self):
        net = self.recurrent(0.0, 40.0).loss(lambda t: math.log(10) * math.exp(-t / 50))
        assert one(lstm_forget_bias, net) is None


class TestRemarks:
    def test_one_hot_rows_under_a_binary_loss(self):
        net = called(Net(), "binary_cross_entropy_with_logits", one_hot=True, target_shape=[64, 5])
        net.set("target.min", LOSSFN, 0.0).set("target.max", LOSSFN, 1.0)
        net.set("lossfn.unit", LOSSFN, 0.4)
        found = one(bce_range, net)
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.NOTE, "exclusive")
        other = called(Net(), "binary_cross_entropy_with_logits", one_hot=True, target_shape=[9, 1])
        other.set("target.min", LOSSFN, 0.0).set("target.max", LOSSFN, 1.0)
        assert one(bce_range, other.set("lossfn.unit", LOSSFN, 0.4)) is None

    @pytest.mark.parametrize(
        ("counts", "told"),
        [
            ([90, 80, 95, 0, 0, 0], True),
            ([90, 80, 95, 99, 0, 2], False),
            ([90, 5, 95, 0, 0], False),
        ],
    )
    def test_outputs_that_no_label_names(self, counts, told):
        found = one(label_range, called(Net(), classes=len(counts), label_counts=counts))
        assert (found is not None) == told
        if found is not None:
            assert (found.level, found.values["kind"]) == (Level.NOTE, "too_many")

    def test_sorted_data_may_bring_them_later(self):
        net = called(Net(), classes=6, label_counts=[90, 80, 95, 0, 0, 0])
        assert one(label_range, net.set("label.entropy", LOSSFN, 0.1)) is None

    @pytest.mark.parametrize(("high", "kind"), [(9e4, "skewed"), (800.0, "plain")])
    def test_targets_that_ask_for_a_logarithm(self, high, kind):
        net = called(Net(), "mse_loss").loss(lambda t: 3e5)
        net.set("lossfn.baseline", LOSSFN, 1e5).set("prediction.rms", LOSSFN, 0.5)
        net.set("target.mean", LOSSFN, 400.0).set("target.std", LOSSFN, 300.0)
        net.set("target.min", LOSSFN, 2.0).set("target.max", LOSSFN, high)
        found = one(target_unscaled, net)
        assert found is not None
        assert found.values["kind"] == kind

    @pytest.mark.parametrize(
        ("share", "shape", "told"),
        [(0.8, [64, 64], True), (0.8, [64, 4], False), (0.3, [64, 64], False)],
    )
    def test_rows_that_equal_others(self, share, shape, told):
        net = fact(Net(), "loader", length=9).change(INPUT, shape=shape)
        net.set("input.duplicates", INPUT, share).set("input.hash", INPUT, lambda t: t)
        found = one(repeated_batch, net)
        assert (found is not None) == told
        if found is not None:
            assert (found.level, found.values["kind"]) == (Level.NOTE, "within")
