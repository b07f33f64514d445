"""Attention, routers, dormant units, cloned and affine layers, positions, and the quiet notes."""

from __future__ import annotations

import itertools
import math

import pytest

from builders import OPTIMIZER, Net
from gradoctor.records import Fact, Level
from gradoctor.rules.activations.attention_entropy_collapse import attention_entropy_collapse
from gradoctor.rules.activations.attention_logit_growth import attention_logit_growth
from gradoctor.rules.activations.attention_uniform import attention_uniform
from gradoctor.rules.activations.dormant_units import dormant_units
from gradoctor.rules.activations.missing_nonlinearity import missing_nonlinearity
from gradoctor.rules.activations.non_zero_centred_activations import non_zero_centred_activations
from gradoctor.rules.activations.prelu_degenerate import prelu_degenerate
from gradoctor.rules.activations.rank_collapse import rank_collapse
from gradoctor.rules.architecture.moe_router_collapse import moe_router_collapse
from gradoctor.rules.gradients.residual_branch_starvation import residual_branch_starvation
from gradoctor.rules.initialisation.cloned_layers import cloned_layers
from rules.structural.made import called, one


class TestDormant:
    @staticmethod
    def net(final: float, start: float = 0.05) -> Net:
        net = Net(4, activation="gelu")
        for site in net.activations:
            net.set("act.dormant_fraction", site, lambda t: start if t < 30 else final)
        return net

    def test_harm_decides(self):
        assert one(dormant_units, self.net(0.6).stuck()).level == Level.SUSPECT
        found = one(dormant_units, self.net(0.6))
        assert found.level == Level.NOTE
        assert found.values["grew"] == pytest.approx(0.55)

    def test_few_or_from_the_start(self):
        assert one(dormant_units, self.net(0.2).stuck()) is None
        assert one(dormant_units, self.net(0.6, start=0.55).stuck()) is None


class TestAttention:
    @staticmethod
    def net(entropy: float, largest: float, start: float = 2.0) -> Net:
        net = Net(3, steps=600)
        site = net._add("op", "block.attention", "attention", order=1, role="attention")
        net.set("attention.entropy", site, lambda t: 0.9 if t < 30 else entropy)
        return net.set("attention.logit_max", site, lambda t: start if t < 30 else largest)

    def test_collapse_with_harm(self):
        net = self.net(0.01, 300.0).stuck()
        for rule in (attention_entropy_collapse, attention_logit_growth):
            assert one(rule, net).level == Level.SUSPECT

    def test_a_network_that_learns_gets_a_note(self):
        net = self.net(0.01, 300.0)
        for rule in (attention_entropy_collapse, attention_logit_growth):
            assert one(rule, net).level == Level.NOTE

    def test_one_witness_is_not_enough(self):
        assert one(attention_entropy_collapse, self.net(0.01, 3.0).stuck()) is None
        assert one(attention_entropy_collapse, self.net(0.2, 300.0).stuck()) is None
        assert one(attention_logit_growth, self.net(0.01, 30.0).stuck()) is None
        assert one(attention_logit_growth, self.net(0.01, 60.0, start=40.0).stuck()) is None

    def test_uniform_attention_that_learns_nothing(self):
        found = one(attention_uniform, self.net(0.995, 2.0).stuck())
        assert found is not None
        assert found.level == Level.NOTE
        assert one(attention_uniform, self.net(0.995, 2.0)) is None
        assert one(attention_uniform, self.net(0.9, 2.0).stuck()) is None


class TestAffine:
    @staticmethod
    def net(*widths: int, whole: bool = False, norms: int = 0) -> Net:
        net = Net(len(widths) - 2)
        chain = net.layers
        for layer, weight, (a, b) in zip(
            chain, net.weights, itertools.pairwise(widths), strict=True
        ):
            net.change(weight, shape=[b, a])
            assert net.sites[layer].meta["params"] == [weight]
        if whole:
            for site in net.activations:
                net.sites[site] = net.sites[site].__class__(site, "module", "unused", order=-1)
        net.facts.append(Fact("affine", chain[0], data={"layers": chain, "norms": norms}))
        return net

    def test_levels(self):
        assert one(missing_nonlinearity, self.net(64, 64, 10)).level == Level.NOTE
        assert one(missing_nonlinearity, self.net(64, 64, 64, 10)).level == Level.SUSPECT
        assert one(missing_nonlinearity, self.net(64, 64, 10, whole=True)).level == Level.SUSPECT
        nothing = self.net(64, 64, 10, whole=True).stuck()
        found = one(missing_nonlinearity, nothing)
        assert found.level == Level.SICK
        assert found.values["widths"] == "64, 64, 10"

    def test_look_alikes(self):
        assert one(missing_nonlinearity, self.net(64, 4, 64)) is None  # LoRA, factorisation
        assert one(missing_nonlinearity, self.net(64, 64, 64, 10, norms=1)) is None
        net = self.net(64, 64, 10)
        net.change(net.weights[1], shape=[10, 32])
        assert one(missing_nonlinearity, net) is None


class TestRouter:
    @staticmethod
    def net(starved: float, steps: int = 400) -> Net:
        net = Net(3, steps=steps)
        site = net._add("op", "moe.router", "router", order=1, role="router", experts=8)
        net.set("router.starved", site, starved)
        return net.set("router.load_max", site, 0.7)

    def test_lasting_and_early(self):
        found = one(moe_router_collapse, self.net(0.75))
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["experts"] == 8
        assert one(moe_router_collapse, self.net(0.75, steps=60)) is None
        assert one(moe_router_collapse, self.net(0.25)) is None


class TestClones:
    @staticmethod
    def net(later: bool | None, *, trains: bool = True, path: str = "Net") -> Net:
        net = Net(4)
        a, b = net.weights[1:3]
        net.change(net.layers[2], path=[path])
        net.facts.append(Fact("cloned", b, data={"twin": a, "later": later}))
        for site in (a, b):
            owner = OPTIMIZER if trains else None
            net.facts.append(Fact("wiring", site, data={"optimizer": owner, "grads": 9 * trains}))
        return net

    def test_levels(self):
        assert one(cloned_layers, self.net(later=True)).level == Level.SUSPECT
        assert one(cloned_layers, self.net(later=False)).level == Level.NOTE

    def test_look_alikes(self):
        assert one(cloned_layers, self.net(later=True, trains=False)) is None
        assert one(cloned_layers, self.net(later=False, path="TransformerEncoder")) is None
        other = self.net(later=True)
        other.change(other.weights[2], model="Teacher")
        assert one(cloned_layers, other) is None


class TestPositions:
    @staticmethod
    def net(ratio: float, positions: int = 24) -> Net:
        net = Net(6, steps=400)
        for layer in net.layers:
            net.change(layer, out_shape=[16, positions, 64])
            net.set("act.token_ratio", layer, ratio)
        return net

    def test_positions_that_cannot_be_told_apart(self):
        found = one(rank_collapse, self.net(1e-6).loss(lambda t: 2.3 + 1e-3 * math.sin(t)))
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["kind"] == "tokens"

    def test_look_alikes(self):
        assert one(rank_collapse, self.net(1e-6)) is None
        bad = lambda t: 2.3 + 1e-3 * math.sin(t)  # noqa: E731
        assert one(rank_collapse, self.net(0.3).loss(bad)) is None
        assert one(rank_collapse, self.net(1e-6, positions=1).loss(bad)) is None

    @pytest.mark.parametrize(
        ("labels", "gained", "told"),
        [([16 * 24], 0.1, True), ([16, 24], 0.1, True), ([16], 0.1, False), ([384], 0.5, False)],
    )
    def test_one_answer_for_labels_that_differ(self, labels, gained, told):
        net = called(self.net(1e-6), target_shape=labels)
        net.loss(lambda t: math.log(10) * (1 - gained * t / 400))
        found = one(rank_collapse, net)
        assert (found is not None) == told
        assert found is None or found.level == Level.SUSPECT

    def test_positions_that_come_apart_later(self):
        net = self.net(1e-6).loss(lambda t: 2.3 + 1e-3 * math.sin(t))
        for layer in net.layers:
            net.set("act.token_ratio", layer, lambda t: 1e-6 if t < 100 else 0.3)
        assert one(rank_collapse, net) is None


class TestNotes:
    def test_branches_that_do_nothing(self):
        net = Net(3, steps=600)
        for i in range(6):
            site = net._add("op", f"{i}.residual", "residual", order=40 + i, role="residual")
            net.set("stream.branch", site, 1e-5 if i < 4 else 0.2)
        found = one(residual_branch_starvation, net)
        assert found.level == Level.NOTE
        assert found.values["faint"] == 4
        for site in [s.id for s in net.sites if s.meta.get("role") == "residual"]:
            net.set("stream.branch", site, lambda t: 1e-5 if t < 80 else 0.2)
        assert one(residual_branch_starvation, net) is None

    def test_sigmoids_lie_to_one_side(self):
        net = Net(4, activation="sigmoid")
        for site in net.activations:
            net.set("act.mean", site, 0.68)
        assert one(non_zero_centred_activations, net).level == Level.NOTE
        for site in net.activations:
            net.set("act.mean", site, 0.3)
        assert one(non_zero_centred_activations, net) is None

    @pytest.mark.parametrize(("slope", "straight"), [(1.0, True), (0.25, False), (0.01, False)])
    def test_a_prelu_of_slope_one_is_a_line(self, slope, straight):
        net = Net(3)
        site = net._add("parameter", "act.weight", "PReLU", shape=[1], numel=1)
        net.set("weight.rms", site, slope)
        assert (one(prelu_degenerate, net) is not None) == straight
