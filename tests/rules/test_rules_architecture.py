"""Rules on norms, regularisation, depth, and what is frozen."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from builders import OPTIMIZER, Net
from gradoctor.records import Level
from gradoctor.rules.architecture.lrn_semantics import lrn_semantics
from gradoctor.rules.architecture.missing_skip_or_norm import missing_skip_or_norm
from gradoctor.rules.architecture.norm_eps_dominates import norm_eps_dominates
from gradoctor.rules.architecture.norm_gain_collapse import norm_gain_collapse
from gradoctor.rules.architecture.over_regularised import over_regularised
from gradoctor.rules.architecture.post_norm_deep_no_warmup import post_norm_deep_no_warmup
from gradoctor.rules.data.last_batch_of_one import last_batch_of_one
from gradoctor.rules.wiring.frozen_but_moving import frozen_but_moving
from gradoctor.rules.wiring.frozen_by_accident import frozen_by_accident
from rules.structural.made import fact, one, wire

DEFAULT = 1 / math.sqrt(3)


def norm(net: Net, kind: str = "LayerNorm") -> int:
    return net._add("module", "norm", kind, order=3, role="norm", model="Net")


class TestNormGain:
    def net(self, first: float, last: float) -> Net:
        net = Net(steps=400)
        return net.set("norm.small_gain", norm(net), lambda t: first if t < 100 else last)

    def test_a_collapse_is_a_note_and_with_a_stuck_loss_a_suspicion(self):
        healthy, stuck = self.net(0.0, 0.8).loss(lambda t: 1.8 - t / 2000), self.net(0.0, 0.8)
        for net, level in ((healthy, Level.NOTE), (stuck.stuck(), Level.SUSPECT)):
            found = one(norm_gain_collapse, net)
            assert found is not None
            assert found.level == level
            assert found.values["share"] == pytest.approx(0.8)

    @pytest.mark.parametrize(("first", "last"), [(1.0, 1.0), (1.0, 0.6), (0.0, 0.3)])
    def test_small_from_the_start_or_still_large(self, first: float, last: float):
        assert one(norm_gain_collapse, self.net(first, last).stuck()) is None


class TestNormEpsilon:
    def test_a_tiny_variance(self):
        for stuck, level in ((False, Level.NOTE), (True, Level.SUSPECT)):
            net = Net(steps=400)
            net.set("norm.eps_share", norm(net), 0.6)
            found = one(norm_eps_dominates, net.stuck() if stuck else net)
            assert found is not None
            assert found.level == level

    def test_only_at_the_start(self):
        net = Net(steps=400)
        net.set("norm.eps_share", norm(net), lambda t: 0.6 if t < 300 else 0.01)
        assert one(norm_eps_dominates, net.stuck()) is None


class TestPostNorm:
    def net(self, *, blocks: int = 12, first: bool = False, ratio: float = 20.0) -> Net:
        net = Net(steps=400, optimizer="AdamW")
        path = ["Net", "TransformerEncoderLayer"]
        for i in range(blocks):
            at = 100 + 10 * i
            linear = net._add(
                "module", f"layers.{i}.linear2", "Linear", order=at + 5, role="matmul", path=path
            )
            for j, order in ((1, at + 2), (2, at + 4 if first else at + 6)):
                net._add("module", f"layers.{i}.norm{j}", "LayerNorm", order=order, path=path)
            net.set("actgrad.rms", linear, 1e-3 * ratio ** (i / max(blocks - 1, 1)))
        return net

    def test_deep_without_warm_up(self):
        for stuck, level in ((False, Level.NOTE), (True, Level.SUSPECT)):
            net = self.net()
            found = one(post_norm_deep_no_warmup, net.stuck() if stuck else net)
            assert found is not None
            assert found.level == level
            assert found.values["blocks"] == 12
            assert found.values["ratio"] == pytest.approx(20.0)

    def test_look_alikes(self):
        warm = self.net().each_step("lr", OPTIMIZER, lambda t: 1e-3 * min(1, (t + 1) / 100))
        for net in (self.net(first=True), self.net(blocks=6), self.net(ratio=3.0), warm):
            assert one(post_norm_deep_no_warmup, net.stuck()) is None


class TestPlainDepth:
    def test_an_even_fall_over_a_long_chain_is_a_note(self):
        found = one(missing_skip_or_norm, Net(24).gradient_slope(0.8))
        assert found is not None
        assert (found.level, found.values["layers"]) == (Level.NOTE, 25)

    def test_with_norms_shallow_or_flat(self):
        normed = Net(24).gradient_slope(0.8)
        norm(normed)
        for net in (normed, Net(12).gradient_slope(0.8), Net(24).gradient_slope(0.05)):
            assert one(missing_skip_or_norm, net) is None


class TestOverRegularised:
    def net(self, decay: float) -> Net:
        net = Net(steps=600)
        net.change(OPTIMIZER, weight_decay=0.5)
        for weight in net.weights:
            net.set("update.rms", weight, 1e-4)
            net.set("update.decay_rms", weight, decay)
        return net

    def test_decay_holds_a_stuck_net_down(self):
        found = one(over_regularised, self.net(3e-4).stuck())
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["share"] == pytest.approx(0.75)
        assert found.values["decay"] == 0.5

    def test_equilibrium_at_a_good_loss_and_weak_decay(self):
        assert one(over_regularised, self.net(3e-4)) is None
        assert one(over_regularised, self.net(1e-6).stuck()) is None


class TestLocalNorm:
    def test_its_alpha_is_told(self):
        net = Net()
        site = norm(net, "LocalResponseNorm")
        net.change(site, alpha=1e-4, size=5)
        found = one(lrn_semantics, net)
        assert found is not None
        assert (found.level, found.values) == (Level.NOTE, {"alpha": 1e-4, "size": 5})
        assert one(lrn_semantics, Net()) is None


class TestLastBatch:
    def test_one_sample_stops_the_script(self):
        net = fact(Net(), "error", line=31, type="ValueError", message="", known="one_sample")
        found = one(last_batch_of_one, net)
        assert found is not None
        assert (found.level, found.line) == (Level.SICK, 31)

    @pytest.mark.parametrize(
        ("fewest", "left", "noted"), [(3, 3, True), (3, None, False), (3, 30, False), (9, 3, False)]
    )
    def test_a_small_remainder_is_a_note(self, fewest: int, left: int | None, noted: bool):
        net = Net()
        fact(net, "mode", norm(net, "BatchNorm1d"), usual_samples=64, fewest_samples=fewest)
        fact(net, "loader", key="loader1", last_batch=left)
        found = one(last_batch_of_one, net)
        assert (found is not None) == noted
        assert found is None or found.level == Level.NOTE


class TestFrozenButMoving:
    def test_the_optimizer_goes_on_moving_them(self):
        net = Net()
        wire(net, *net.weights[:2], requires_grad=False, frozen_moves=40)
        found = one(frozen_but_moving, net)
        assert found is not None
        assert (found.level, found.sites) == (Level.SICK, tuple(net.weights[:2]))

    @pytest.mark.parametrize(
        "data", [{"requires_grad": False, "frozen_moves": 1}, {"frozen_moves": 40}]
    )
    def test_once_or_no_longer_frozen(self, data: dict[str, object]):
        net = Net()
        wire(net, net.weights[0], **data)
        assert one(frozen_but_moving, net) is None


class TestFrozenByAccident:
    def net(self, *frozen: int, gain: float = DEFAULT) -> Net:
        net = Net(steps=400)
        for i, weight in enumerate(net.weights):
            net.sites[weight] = replace(net.sites[weight], order=2 * i)
        wire(net, *[net.weights[i] for i in frozen], requires_grad=False, optimizer=None)
        if not frozen:
            wire(net)
        net.facts = [f for f in net.facts if f.kind != "init"]
        for weight in net.weights:
            fact(net, "init", weight, gain=gain)
        return net

    def test_the_head(self):
        net = self.net(6)
        found = one(frozen_by_accident, net)
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.SUSPECT, "head")
        found = one(frozen_by_accident, net.stuck())
        assert found is not None
        assert (found.level, found.sites) == (Level.SICK, (net.weights[6],))

    def test_a_layer_between_trained_ones(self):
        found = one(frozen_by_accident, self.net(3))
        assert found is not None
        assert found.values["kind"] == "scattered"

    def test_pretrained_weights_have_another_spread(self):
        assert one(frozen_by_accident, self.net(6, gain=0.9).stuck()) is None

    def test_a_frozen_beginning_is_meant(self):
        assert one(frozen_by_accident, self.net(0, 1, 2).stuck()) is None

    def test_a_model_frozen_as_a_whole(self):
        assert one(frozen_by_accident, self.net(*range(7)).stuck()) is None

    def test_adapters(self):
        net = self.net(1, 2, 3, 4, 5, 6).stuck()
        for weight in net.weights[1:]:
            net.change(weight, numel=100_000)
        found = one(frozen_by_accident, net)
        assert found is not None
        assert found.level == Level.NOTE
        assert ("adapters", True) in found.exclusions
