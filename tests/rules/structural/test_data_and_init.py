"""Data and initialisation: 602 608 301 302."""

from __future__ import annotations

import math

import pytest

from builders import INPUT, LOSS, LOSSFN, RUN, Net
from gradoctor.records import Level
from gradoctor.rules.data.nonfinite_or_constant_input import nonfinite_or_constant_input
from gradoctor.rules.data.repeated_batch import repeated_batch
from gradoctor.rules.initialisation.constant_init_symmetry import constant_init_symmetry
from gradoctor.rules.initialisation.zero_init_symmetry import zero_init_symmetry
from rules.structural.made import fact, judged, one


class TestBadInput:
    def bad(self, net: Net, since: int, statistic: str = "input.nonfinite") -> Net:
        site = INPUT if statistic.startswith("input") else LOSSFN
        return net.set(statistic, site, lambda t: 3.0 * (t >= since))

    def breaks(self, net: Net, since: int) -> Net:
        net.each_step("loss.value", LOSS, lambda t: 2.0 if t < since else math.nan)
        return net.each_step("loss.nonfinite", LOSS, lambda t: float(t >= since))

    def test_a_bad_batch_of_a_step_that_was_not_looked_at(self) -> None:
        net = fact(Net(), "nonfinite", cause="input", where="forward", rows=[3], first_step=120,
                   key="forward")  # fmt: skip
        found = one(nonfinite_or_constant_input, net)
        assert found is not None
        assert (found.level, found.values["kind"], found.first_step) == (Level.SICK, "input", 120)
        other = fact(Net(), "nonfinite", cause="operation", where="forward", key="forward")
        assert one(nonfinite_or_constant_input, other) is None

    @pytest.mark.parametrize("kind", ["input", "target"])
    def test_it_breaks_the_loss(self, kind):
        found = one(
            nonfinite_or_constant_input, self.breaks(self.bad(Net(), 20, f"{kind}.nonfinite"), 20)
        )
        assert found is not None
        assert found.level == Level.SICK
        assert found.first_step == 20
        assert found.values["kind"] == kind
        assert found.values["count"] == 3

    def test_a_bad_batch_that_was_not_looked_at_broke_it_earlier(self):
        found = one(nonfinite_or_constant_input, self.breaks(self.bad(Net(), 200), 120))
        assert found is not None
        assert found.level == Level.SICK

    def test_a_mask_takes_them_out(self):
        found = one(nonfinite_or_constant_input, self.bad(Net(), 0))
        assert found is not None
        assert found.level == Level.NOTE

    def test_what_breaks_much_later_has_another_cause(self):
        found = one(nonfinite_or_constant_input, self.breaks(self.bad(Net(), 0), 250))
        assert found is not None
        assert found.level == Level.NOTE

    def test_an_outcome_that_was_not_seen(self):
        net = self.bad(Net(), 0)
        del net.light["loss.nonfinite"]
        found = one(nonfinite_or_constant_input, net)
        assert found is not None
        assert found.level == Level.SUSPECT

    def test_a_constant_input_is_a_note(self):
        found = one(nonfinite_or_constant_input, Net().set("input.std", INPUT, 0.0))
        assert found is not None
        assert found.level == Level.NOTE
        assert found.values["kind"] == "constant"

    def test_clean(self):
        net = Net().set("input.nonfinite", INPUT, 0.0).set("input.std", INPUT, 1.0)
        assert judged(nonfinite_or_constant_input, net) == []


class TestRepeatedBatch:
    def loader(self, net: Net, **data: object) -> Net:
        told = {"length": 29, "iterators": 300, "max_drawn": 1, "shuffle": False, "batch_size": 64,
                "batches": 300, **data}  # fmt: skip
        net.each_step("batch.size", RUN, 64.0)
        return fact(net, "loader", None, line=16, key="loader1", **told)

    def test_a_new_iterator_for_each_step(self):
        net = self.loader(Net()).set("input.hash", INPUT, 12345.0)
        found = one(repeated_batch, net)
        assert found is not None
        assert found.level == Level.SICK
        assert (found.file, found.line) == ("train.py", 16)
        assert found.values == {
            "kind": "batch", "steps": len(net.looks), "batches": 29, "iterators": 300, "share": 0.0
        }  # fmt: skip

    def test_the_first_steps_are_a_suspicion(self):
        net = self.loader(Net(steps=6), iterators=6).set("input.hash", INPUT, 12345.0)
        found = one(repeated_batch, net)
        assert found is not None
        assert (found.level, found.line) == (Level.SUSPECT, 16)
        two = self.loader(Net(steps=2), iterators=2).set("input.hash", INPUT, 12345.0)
        assert one(repeated_batch, two) is None
        differ = self.loader(Net(steps=6), iterators=6, shuffle=True).set(
            "input.hash", INPUT, float
        )
        assert one(repeated_batch, differ) is None

    def test_a_check_of_three_steps_is_long_past(self):
        net = self.loader(Net()).set("input.hash", INPUT, lambda t: float(max(t, 3)))
        assert one(repeated_batch, net) is None

    def test_a_mask_that_never_changes(self):
        net = self.loader(Net(), shuffle=True).set("input.hash", INPUT, float)
        mask = net._add("input", "mask", "")
        found = one(repeated_batch, net.set("input.hash", mask, 1.0))
        assert found is not None
        assert found.level == Level.NOTE

    def test_shuffled_it_is_a_note(self):
        net = self.loader(Net(), shuffle=True).set("input.hash", INPUT, float)
        found = one(repeated_batch, net)
        assert found is not None
        assert found.level == Level.NOTE

    @pytest.mark.parametrize(
        "data",
        [
            {"iterators": 1},  # one batch overfitted on purpose
            {"length": 1},  # all data in one batch
            {"max_drawn": 29, "iterators": 300},  # epochs
            {"batch_size": 256},  # a look into the validation data after each full-batch step
            {"iterators": 20},  # now and then
        ],
    )
    def test_look_alikes(self, data):
        assert one(repeated_batch, self.loader(Net(), **data).set("input.hash", INPUT, 1.0)) is None

    def test_batches_that_differ(self):
        net = self.loader(Net()).set("input.hash", INPUT, float)
        assert one(repeated_batch, net) is None


def initialised(net: Net, site: int, **data: object) -> Net:
    """Replace what is known of a weight's start."""
    net.facts = [f for f in net.facts if (f.kind, f.site) != ("init", site)]
    return fact(net, "init", site, **{"zero": False, "constant": False, **data})


class TestZeroInit:
    def zeroed(self, net: Net, gradient) -> Net:
        for site in net.weights[2:4]:
            initialised(net, site, zero=True, clones=1.0, clones_later=1.0)
            net.set("grad.absmax", site, gradient)
        return net

    def test_no_gradient_leads_out(self):
        net = self.zeroed(Net(), 0.0)
        found = one(zero_init_symmetry, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.sites == tuple(net.weights[2:4])
        assert found.values == {"count": 2, "steps": 5}

    @pytest.mark.parametrize(
        "gradient",
        [
            1e-2,  # a zero head, the last layer of a residual branch, LoRA's B
            lambda t: 0.0 if t < 1 else 1e-3,  # sigmoid layers behind it
            lambda t: 0.0 if t < 40 else 1e-3,  # a loss term that is switched on later
        ],
    )
    def test_it_escapes(self, gradient):
        assert one(zero_init_symmetry, self.zeroed(Net(), gradient)) is None

    def test_not_observed(self):
        net = self.zeroed(Net(), math.nan)  # frozen, or not used
        assert one(zero_init_symmetry, net) is None
        assert one(zero_init_symmetry, self.zeroed(Net(steps=3), 0.0)) is None


class TestConstantInit:
    def cloned(self, net: Net, later: float | None = 1.0, **data: object) -> Net:
        for site in net.weights[:2]:
            initialised(net, site, **{"clones": 1.0, "clones_later": later, **data})
        return net

    def test_clones_stay_clones(self):
        net = self.cloned(Net())
        found = one(constant_init_symmetry, net)
        assert found is not None
        assert found.level == Level.SICK
        assert found.sites == tuple(net.weights[:2])
        assert found.values == {"count": 2, "share": 1.0}

    def test_zeros_behind_a_sigmoid_get_equal_gradients(self):
        net = Net()
        initialised(net, net.weights[0], zero=True, clones=1.0, clones_later=1.0)
        assert one(constant_init_symmetry, net) is not None

    @pytest.mark.parametrize("later", [0.0, 0.3, None])
    def test_dropout_or_different_inputs_break_it(self, later):
        assert one(constant_init_symmetry, self.cloned(Net(), later)) is None

    def test_a_few_rows(self):
        assert one(constant_init_symmetry, self.cloned(Net(), clones=0.1)) is None

    @pytest.mark.parametrize(
        "meta",
        [
            {"role": "norm"},  # a constant gain
            {"role": "embedding"},
            {"shape": [64, 1]},  # magnitudes of weight_norm
        ],
    )
    def test_other_parameters(self, meta):
        net = self.cloned(Net())
        for site in net.weights[:2]:
            net.change(site, **meta)
        assert one(constant_init_symmetry, net) is None

    def test_a_padded_head(self):
        net = Net()
        initialised(net, net.weights[-1], clones=1.0, clones_later=0.9)
        assert one(constant_init_symmetry, net) is None

    def test_a_fixed_filter_and_a_dead_zero_layer_get_no_gradient(self):
        for gradient in (math.nan, 0.0):
            net = self.cloned(Net())
            for site in net.weights[:2]:
                net.set("grad.absmax", site, gradient)
            assert one(constant_init_symmetry, net) is None
