"""Cleared gradients (905), state in half precision (710), repeated layers (912), epochs (917)."""

from __future__ import annotations

import math

import pytest

from builders import LOSS, OPTIMIZER, RUN, Net
from gradoctor.diagnosis import diagnose
from gradoctor.records import Fact, Level
from gradoctor.rules.data.sampler_epoch_unset import sampler_epoch_unset
from gradoctor.rules.numerics.half_precision_optimizer_state import half_precision_optimizer_state
from gradoctor.rules.wiring.repeated_layer import repeated_layer
from gradoctor.rules.wiring.step_missing import step_missing
from rules.structural.made import cycle, fact, one, optimizer, wire


class TestCleared:
    def bare(self) -> Net:
        net = wire(Net())
        for weight in net.weights:
            net.set("grad.absmax", weight, math.nan)
        return net

    def test_cleared_between_backward_and_step(self):
        found = one(step_missing, self.bare(), "backward zero_grad step")
        assert found is not None
        assert (found.level, found.values["kind"], found.line) == (Level.SICK, "cleared", 19)

    @pytest.mark.parametrize(
        ("until", "norm", "told"),
        [(100, 0.0, True), (290, 0.0, False), (100, 0.7, False), (5, 0.0, False)],
    )
    def test_backwards_cease_in_mid_run(self, until, norm, told):
        net = wire(Net()).set("grad.norm", RUN, lambda t: 1.0 if t < until else norm)
        cycles = (
            cycle("zero_grad backward step", 0, until - 1),
            cycle("zero_grad step", until, 299),
        )
        found = one(step_missing, net, cycles)
        assert (found is not None) == told
        if found is not None:
            assert (found.level, found.values["kind"]) == (Level.SICK, "ceased")
            assert (found.first_step, found.line) == (until, 22)

    def test_the_step_comes_before_the_first_backward(self):
        cycles = (cycle("zero_grad step", 0, 0), cycle("backward zero_grad step", 1, 299))
        found = one(step_missing, self.bare(), cycles)
        assert found is not None
        assert (found.level, found.values["kind"], found.line) == (Level.SICK, "too_soon", 22)

    def test_gradients_that_were_written_by_hand(self):
        assert one(step_missing, wire(Net()), "backward zero_grad step") is None

    def test_cleared_after_the_step(self):
        assert one(step_missing, self.bare(), "backward step zero_grad") is None

    def test_cleared_before_the_next_backward_only(self):
        assert one(step_missing, self.bare(), "zero_grad backward step") is None

    def many(self, *, untouched: int) -> Net:
        return optimizer(wire(Net()), untouched=untouched)

    def test_all_but_the_last_of_many(self):
        found = one(step_missing, self.many(untouched=300), "zero_grad backward " * 20 + "step")
        assert found is not None
        assert found.values == {
            "kind": "discarded", "backwards": 19 * 300, "optimizer": found.values["optimizer"]
        }  # fmt: skip

    def test_gradients_of_many_samples_put_together_by_hand(self):
        words = "zero_grad backward " * 20 + "step"
        assert one(step_missing, self.many(untouched=0), words) is None

    def test_one_is_thrown_away(self):
        words = "zero_grad backward zero_grad backward step"
        assert one(step_missing, self.many(untouched=300), words) is None

    def test_accumulation(self):
        words = "zero_grad " + "backward " * 20 + "step"
        assert one(step_missing, self.many(untouched=300), words) is None


class TestState:
    def half(self, kind: str = "float16", eps: float = 1e-8, beta2: float = 0.999) -> Net:
        net = Net(optimizer="AdamW")
        return optimizer(net, state=kind, defaults={"eps": eps, "betas": [0.9, beta2]})

    def test_epsilon_is_nothing_and_the_weights_break(self):
        net = self.half()
        net.each_step("loss.value", LOSS, lambda t: math.nan if t else 2.3)
        net.each_step("loss.nonfinite", LOSS, lambda t: float(t > 0))
        net.set("weight.nonfinite", net.weights[0], 1.0)
        found = one(half_precision_optimizer_state, net)
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.SICK, "epsilon")
        assert [f.code for f in diagnose(net.build()).findings if f.root] == ["GD710"]

    def test_it_went_well_so_far(self):
        found = one(half_precision_optimizer_state, self.half())
        assert found is not None
        assert found.level == Level.SUSPECT

    @pytest.mark.parametrize(("kind", "eps"), [("float16", 1e-4), ("bfloat16", 1e-8)])
    def test_notes(self, kind: str, eps: float):
        found = one(half_precision_optimizer_state, self.half(kind, eps))
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.NOTE, kind)

    @pytest.mark.parametrize(
        ("kind", "beta2"), [("float32", 0.999), ("", 0.999), ("bfloat16", 0.95)]
    )
    def test_nothing_to_say(self, kind: str, beta2: float):
        assert one(half_precision_optimizer_state, self.half(kind, beta2=beta2)) is None

    def test_plain_descent_divides_by_nothing(self):
        net = optimizer(Net(), state="float16", defaults={"lr": 0.1})
        assert one(half_precision_optimizer_state, net) is None


class TestRepeated:
    @pytest.mark.parametrize(("multiplied", "level"), [(True, Level.SUSPECT), (False, Level.NOTE)])
    def test_one_layer_several_times(self, multiplied: bool, level: Level):
        net = Net()
        told = {"container": "layers", "class": "Linear", "multiplied": multiplied}
        net.facts.append(
            Fact("repeated", net.layers[1], "", "train.py", 10, data={**told, "entries": 4})
        )
        found = one(repeated_layer, net)
        assert found is not None
        assert (found.level, found.line, found.values["count"]) == (level, 10, 4)


class TestSampler:
    def loader(self, **changes: object) -> Net:
        told = {"sampler": "DistributedSampler", "length": 20, "iterators": 5, "batches": 100,
                "sampler_epochs": 1, **changes}  # fmt: skip
        return fact(Net(), "loader", line=12, **told)

    def test_the_same_order_every_time(self):
        found = one(sampler_epoch_unset, self.loader())
        assert found is not None
        assert (found.level, found.line) == (Level.SUSPECT, 12)

    def test_a_second_pass(self):
        found = one(sampler_epoch_unset, self.loader(iterators=2, batches=40))
        assert found is not None
        assert found.level == Level.NOTE

    @pytest.mark.parametrize(
        "changes",
        [{"sampler_epochs": 5}, {"sampler_epochs": 0}, {"iterators": 1, "batches": 20},
         {"iterators": 3, "batches": 3}, {"length": None}],
    )  # fmt: skip
    def test_nothing_to_say(self, changes: dict[str, object]):
        assert one(sampler_epoch_unset, self.loader(**changes)) is None


def test_the_optimizer_is_named():
    net = optimizer(wire(Net()), untouched=300)
    found = one(step_missing, net, "zero_grad backward " * 20 + "step")
    assert found is not None
    assert found.sites == (OPTIMIZER,)
