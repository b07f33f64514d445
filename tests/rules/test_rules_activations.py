from __future__ import annotations

import math

import pytest

from builders import LOSSFN, Net
from gradoctor.records import Level
from gradoctor.rules.activations.constant_output_collapse import constant_output_collapse
from gradoctor.rules.activations.dead_relu import dead_relu
from gradoctor.rules.activations.rank_collapse import rank_collapse
from gradoctor.rules.activations.saturated_activation import saturated_activation
from rules.structural.made import one


def die(net: Net, *, at: int, share: float = 0.9) -> Net:
    for site in net.activations[1:]:
        net.set("act.zero_fraction", site, lambda t: 0.5 if t < at else share + 0.02)
        net.set(
            "act.dead_fraction",
            site,
            lambda t: math.nan if t < 20 else 0.05 if t < at + 20 else share,
        )
        net.set("actgrad.zero_fraction", site, lambda t: 0.5 if t < at else 0.95)
    return net


class TestDeadRelu:
    def test_dead_and_stuck(self):
        found = one(dead_relu, die(Net().stuck(), at=5))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["layers"] == 5
        assert found.values["dead"] == pytest.approx(0.9, abs=0.01)

    def test_onset_is_when_the_outputs_went_to_zero_not_when_they_were_counted(self):
        found = one(dead_relu, die(Net().stuck(), at=60))
        assert found is not None
        assert 58 <= found.first_step <= 62

    def test_sparse_is_not_dead(self):
        net = Net()
        for site in net.activations:
            net.set("act.zero_fraction", site, 0.72)
        assert one(dead_relu, net) is None

    def test_born_half_dead_but_learning_is_silent(self):
        net = Net()
        for site in net.activations:
            net.set("act.dead_fraction", site, lambda t: math.nan if t < 20 else 0.62)
        assert one(dead_relu, net) is None

    def test_dead_and_learning_all_the_same_is_a_note(self):
        found = one(dead_relu, die(Net(), at=5))
        assert found is not None
        assert found.level == Level.NOTE


class TestSaturated:
    def saturate(self, net: Net) -> Net:
        for site in net.activations[:3]:
            net.set("act.saturated_fraction", site, 0.9)
            net.set("act.gain_loss", site, 4.0)
        return net

    def test_saturated_and_stuck(self):
        found = one(saturated_activation, self.saturate(Net(activation="tanh").stuck()))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["layers"] == 3
        assert found.values["module"] == "acts.0"

    def test_saturated_but_learning_is_a_note(self):
        found = one(saturated_activation, self.saturate(Net(activation="tanh")))
        assert found is not None
        assert found.level == Level.NOTE

    def test_little_gain_lost_is_silent(self):
        net = self.saturate(Net(activation="tanh").stuck())
        for site in net.activations[:3]:
            net.set("act.gain_loss", site, 1.0)
        assert one(saturated_activation, net) is None

    def test_gates_and_outputs_are_not_judged(self):
        net = self.saturate(Net(activation="sigmoid").stuck())
        for site in net.activations[:3]:
            net.change(site, path=["Model", "LSTM"])
        assert one(saturated_activation, net) is None
        out = Net(activation="sigmoid").stuck()
        last = out.activations[-1]
        out.sites[last] = type(out.sites[last])(
            last, "module", "out", "Sigmoid", order=99, meta=out.sites[last].meta
        )
        out.set("act.saturated_fraction", last, 1.0).set("act.gain_loss", last, 9.0)
        assert one(saturated_activation, out) is None


class TestCollapse:
    def collapse(self, net: Net, values=1e-4) -> Net:
        for site in net.layers[3:]:
            net.set("act.centred_ratio", site, values)
        return net

    def test_collapsed_to_the_end_and_stuck(self):
        found = one(rank_collapse, self.collapse(Net().stuck()))
        assert found is not None
        assert found.level == Level.SICK
        assert found.values["module"] == "layers.3"
        assert found.values["depth"] == 4

    def test_common_at_the_start_and_soon_gone(self):
        net = self.collapse(Net(), lambda t: 1e-3 * math.exp(t / 10) if t < 60 else 0.4)
        assert one(rank_collapse, net) is None

    def test_a_collapsed_middle_is_no_collapse(self):
        net = self.collapse(Net().stuck())
        net.set("act.centred_ratio", net.layers[-1], 0.4)
        assert one(rank_collapse, net) is None

    def test_constant_output(self):
        found = one(constant_output_collapse, Net().stuck())
        assert found is not None
        assert found.level == Level.SICK
        assert one(constant_output_collapse, Net()) is None

    def test_constant_output_that_stirs_is_not_yet_sick(self):
        net = Net().stuck()
        net.set("prediction.centred_ratio", LOSSFN, lambda t: 1e-4 * math.exp(t / 70))
        found = one(constant_output_collapse, net)
        assert found is None or found.level == Level.SUSPECT

    def test_a_short_run_is_not_yet_sick(self):
        found = one(constant_output_collapse, Net(steps=150).stuck())
        assert found is not None
        assert found.level == Level.SUSPECT
