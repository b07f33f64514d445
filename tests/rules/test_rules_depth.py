"""Signals and gradients in depth and time: recurrent, residual, batch-normed, mean-field."""

from __future__ import annotations

import math

import pytest

from builders import LOSS, LOSSFN, Net
from gradoctor.records import Fact, Level
from gradoctor.rules.activations.activation_explosion_in_depth import activation_explosion_in_depth
from gradoctor.rules.gradients.bn_depth_gradient_explosion import bn_depth_gradient_explosion
from gradoctor.rules.gradients.recurrent_gradient_decay import recurrent_gradient_decay
from gradoctor.rules.initialisation.activation_init_mismatch import activation_init_mismatch
from gradoctor.rules.initialisation.off_edge_of_chaos import off_edge_of_chaos
from gradoctor.rules.initialisation.residual_scale_growth import residual_scale_growth
from gradoctor.rules.initialisation.tied_embedding_scale import tied_embedding_scale
from rules.structural.made import one


def diverging(net: Net) -> Net:
    net.loss(lambda t: 2.3 * 1.5**t if t < 40 else math.nan)
    return net.each_step("loss.nonfinite", LOSS, lambda t: float(t >= 40))


class TestRecurrent:
    @staticmethod
    def net(slope: float, length: float = 50) -> Net:
        net = Net(3, steps=400)
        cell = net._add("module", "rnn", "LSTM", order=1, role="recurrent", model="Net")
        net.set("time.slope", cell, slope, spread=0.05)
        return net.set("time.length", cell, length)

    def test_a_short_reach_on_a_task_that_is_not_learnt(self):
        found = one(recurrent_gradient_decay, self.net(1.4).stuck())
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["kind"] == "decay"
        assert found.values["horizon"] == pytest.approx(10 / 1.4, rel=0.05)

    def test_an_explosion_that_diverges(self):
        found = one(recurrent_gradient_decay, diverging(self.net(-0.5)))
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["kind"] == "explosion"

    def test_a_task_that_is_learnt_needs_no_longer_memory(self):
        assert one(recurrent_gradient_decay, self.net(1.4)) is None
        assert one(recurrent_gradient_decay, self.net(-1.4)) is None

    @pytest.mark.parametrize(("slope", "length"), [(0.05, 50), (1.4, 12), (-0.1, 50), (0.4, 50)])
    def test_look_alikes(self, slope, length):
        assert one(recurrent_gradient_decay, self.net(slope, length).stuck()) is None


class TestActivationExplosion:
    @staticmethod
    def net(bits: float, depth: int = 16) -> Net:
        net = Net(depth)
        for i, layer in enumerate(net.layers):
            net.set("act.rms", layer, 2.0 ** (bits * i), spread=0.02)
        return net

    def test_geometric_growth_with_and_without_harm(self):
        found = one(activation_explosion_in_depth, self.net(0.9).stuck())
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["growth_bits"] == pytest.approx(0.9 * 16, abs=0.3)
        assert one(activation_explosion_in_depth, self.net(0.9)).level == Level.NOTE

    def test_growth_like_the_root_of_the_depth_is_none(self):
        net = Net(16)
        for i, layer in enumerate(net.layers):
            net.set("act.rms", layer, (i + 1) ** 0.5)
        assert one(activation_explosion_in_depth, net.stuck()) is None

    def test_what_healed_after_the_first_steps(self):
        net = self.net(0.0)
        for i, layer in enumerate(net.layers):
            net.set("act.rms", layer, lambda t, i=i: 2.0 ** (0.9 * i * math.exp(-t / 5)))
        assert one(activation_explosion_in_depth, net.stuck()) is None


class TestResidualScale:
    @staticmethod
    def net(bits: float, blocks: int = 20) -> Net:
        net = Net(3)
        for i in range(blocks):
            site = net._add(
                "op", f"blocks.{i}.residual", "residual", order=50 + i, role="residual",
                out_shape=[64, 32],
            )  # fmt: skip
            net.set("stream.rms", site, 2.0 ** (bits * i))
        return net

    def test_a_stream_that_grows_geometrically_and_diverges(self):
        found = one(residual_scale_growth, diverging(self.net(0.8)))
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["growth_bits"] == pytest.approx(0.8 * 19, abs=0.1)

    def test_without_harm_it_is_a_note(self):
        assert one(residual_scale_growth, self.net(0.8)).level == Level.NOTE

    def test_look_alikes(self):
        assert one(residual_scale_growth, diverging(self.net(0.1))) is None
        assert one(residual_scale_growth, diverging(self.net(0.8, blocks=3))) is None
        root = self.net(0.0, blocks=200)
        for i, site in enumerate(s.id for s in root.sites if s.meta.get("role") == "residual"):
            root.set("stream.rms", site, (i + 1) ** 0.5)
        assert one(residual_scale_growth, diverging(root)) is None


class TestTiedEmbedding:
    @staticmethod
    def net(std: float = 1.0, *, tied: bool = True) -> Net:
        net = Net(3)
        weight = net._add(
            "parameter", "embed.weight", "Embedding", shape=[250, 64], numel=16000, role="matmul",
            leaf="weight", model="Net",
        )  # fmt: skip
        net._add("module", "embed", "Embedding", order=-1, role="embedding", params=[weight])
        if tied:
            net._add("module", "decoder", "Linear", order=99, role="matmul", params=[weight])
        net.facts.append(Fact("init", weight, data={"std": std, "zero": False}))
        return net

    def test_how_long_it_takes_to_get_over_it(self):
        never = one(tied_embedding_scale, self.net().loss(lambda t: 12.0))
        assert never is not None
        assert never.level == Level.SICK
        assert never.values["logit_std"] == pytest.approx(8.0)
        late = one(tied_embedding_scale, self.net().loss(lambda t: max(2.0, 14 - t / 9.0)))
        assert late.level == Level.SUSPECT
        soon = one(tied_embedding_scale, self.net().loss(lambda t: 1.5 + 10 * math.exp(-t / 3)))
        assert soon.level == Level.NOTE

    def test_look_alikes(self):
        loud = lambda t: 12.0  # noqa: E731
        assert one(tied_embedding_scale, self.net(tied=False).loss(loud)) is None
        assert one(tied_embedding_scale, self.net(0.125).loss(loud)) is None
        assert one(tied_embedding_scale, self.net()) is None


class TestMeanField:
    @staticmethod
    def net(gain: float, depth: int = 20, activation: str = "relu", **more: object) -> Net:
        net = Net(depth, activation=activation, **more)
        net.facts = [f for f in net.facts if f.kind != "init"]
        for weight in net.weights:
            net.facts.append(
                Fact("init", weight, data={"gain": gain, "std": gain / 8, "fan_in": 64})
            )
        return net

    def test_default_weights_before_relu(self):
        found = one(activation_init_mismatch, self.net(3**-0.5))
        assert found is not None
        assert found.level == Level.NOTE
        assert found.values["off_bits"] == pytest.approx(-1.29, abs=0.01)
        assert one(activation_init_mismatch, self.net(3**-0.5, 5)) is None
        assert one(activation_init_mismatch, self.net(2**0.5)) is None

    def test_norms_and_residual_sums_make_the_scale_idle(self):
        for kind, role in (("module", "norm"), ("op", "residual")):
            net = self.net(3**-0.5)
            net._add(kind, "between", "LayerNorm", order=3, role=role, model="Net")
            assert one(activation_init_mismatch, net) is None
            assert one(off_edge_of_chaos, net.stuck()) is None

    def test_the_reach_of_the_gradient(self):
        found = one(off_edge_of_chaos, self.net(3**-0.5).stuck())
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["chi"] == pytest.approx(1 / 6, rel=1e-3)
        assert found.values["reach"] == pytest.approx(1 / math.log(6), rel=1e-3)

    def test_the_size_of_the_input_counts_where_the_activation_bends(self):
        net = self.net(1.0, activation="tanh").stuck()
        for layer in net.layers:
            net.set("act.rms", layer, 20.0)
        found = one(off_edge_of_chaos, net)
        assert found is not None
        assert found.values["chi"] < 0.1
        for layer in net.layers:
            net.set("act.rms", layer, 0.1)
        assert one(off_edge_of_chaos, net) is None

    def test_what_learns_left_the_theory_behind(self):
        assert one(off_edge_of_chaos, self.net(3**-0.5)) is None


class TestBatchNormDepth:
    @staticmethod
    def net(depth: int = 50, *, norms: bool = True) -> Net:
        net = Net(depth)
        net.gradient_slope(-0.28)
        if norms:
            for i in range(depth):
                net._add("module", f"bn.{i}", "BatchNorm1d", order=2 * i, role="norm", model="Net")
        return net

    def test_it_needs_norms_and_depth(self):
        found = one(bn_depth_gradient_explosion, self.net())
        assert found is not None
        assert found.level == Level.NOTE
        assert found.values["slope_bits"] == pytest.approx(0.28, abs=0.02)
        assert one(bn_depth_gradient_explosion, self.net(20)) is None
        assert one(bn_depth_gradient_explosion, self.net(norms=False)) is None

    def test_harm_makes_it_suspect(self):
        assert one(bn_depth_gradient_explosion, diverging(self.net())).level == Level.SUSPECT
        net = self.net().stuck().set("lossfn.value", LOSSFN, math.log(10))
        assert one(bn_depth_gradient_explosion, net).level == Level.SUSPECT
