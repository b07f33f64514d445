"""Rules of what is learnt without labels, of labels that are wrong, and of the batch's size."""

from __future__ import annotations

import math

import pytest

from builders import INPUT, LOSS, LOSSFN, RUN, Net
from gradoctor.diagnosis import diagnose
from gradoctor.records import Fact, Level
from gradoctor.rules.data._noise import noise_over_signal
from gradoctor.rules.data.batch_too_large import batch_too_large
from gradoctor.rules.data.batch_too_small import batch_too_small
from gradoctor.rules.data.label_noise import label_noise
from gradoctor.rules.losses.gan_failure import gan_failure
from gradoctor.rules.losses.posterior_collapse import posterior_collapse
from gradoctor.rules.losses.ssl_representation_collapse import ssl_representation_collapse
from rules.structural.made import one


def a_second_game(net: Net) -> Net:
    """Another loss on another optimizer."""
    other = net._add("optimizer", "Adam", "Adam", adaptive=True, betas=[0.9, 0.999], eps=1e-8)
    loss = net._add("loss", "loss@9", "", optimizers=[other])
    net.facts.append(Fact("optimizer", other, data={"steps": net.steps}))
    return net.each_step("loss.value", loss, 1.0)


class TestPosteriorCollapse:
    def net(self, collapsed=1.0, active=0.0, *, steps=600, sites=1, net=None) -> Net:
        net = net or Net(steps=steps)
        for i in range(sites):
            site = net._add(
                "op", f"vae.latent{i}", "latent", order=90 + i, role="latent", model="",
                out_shape=[64, 8], module="vae",
            )  # fmt: skip
            first = i == 0
            net.set("latent.collapsed", site, collapsed if first else 0.0)
            net.set("latent.active", site, active if first else 0.5)
            net.set("latent.kl", site, 1e-3)
        return net

    def test_the_prior_for_every_sample(self):
        found = one(posterior_collapse, self.net())
        assert found is not None
        assert (found.level, found.line, found.values["dimensions"]) == (Level.SUSPECT, None, 8)
        assert found.values["active"] == 0

    def test_it_is_the_root_of_an_outcome_that_is_certain(self):
        report = diagnose(self.net(net=Net(steps=600).stuck()).build())
        roots = [(f.code, f.level) for f in report.findings if f.root]
        assert roots == [("GD515", Level.SICK)]
        assert "GD509" in next(f for f in report.findings if f.root).explains

    def test_a_latent_wider_than_the_data_is_a_note(self):
        found = one(posterior_collapse, self.net(active=0.125))
        assert found is not None
        assert (found.level, found.values["active"]) == (Level.NOTE, 1)

    @pytest.mark.parametrize(
        "data",
        [
            {"collapsed": 0.5},
            {"collapsed": lambda t: 1.0 if t < 100 else 0.2},  # it recovers
            {"steps": 60},
            {"sites": 2},  # another one is in use
        ],
    )
    def test_look_alikes(self, data):
        assert one(posterior_collapse, self.net(**data)) is None

    def test_a_policy_is_not_judged(self):
        assert one(posterior_collapse, self.net(net=a_second_game(Net(steps=600)))) is None


class TestRepresentationCollapse:
    def net(self, *spreads, sources=None, steps=600, paired=False, width=32) -> Net:
        net = Net(steps=steps)
        for i, spread in enumerate(spreads):
            site = net._add(
                "op", f"embedding@{i}", "embedding", order=90 + i, role="compared", model="",
                out_shape=[64, width], paired=paired, source=(sources or ["graph"] * 9)[i],
            )  # fmt: skip
            net.set("embedding.spread", site, spread)
        return net

    @pytest.mark.parametrize("sources", [None, ["graph", "model"]])
    def test_both_sides_fall_together(self, sources):
        net = self.net(
            lambda t: 0.01 + 0.5 * math.exp(-t / 5), lambda t: 0.02 + 0.8 * math.exp(-t / 9),
            sources=sources,
        )  # fmt: skip
        found = one(ssl_representation_collapse, net.loss(lambda t: 2.3))
        assert found is not None
        assert (found.level, found.values["sides"]) == (Level.SUSPECT, 2)
        assert found.values["spread"] == pytest.approx(0.02, rel=0.1)

    def test_rows_that_meet_themselves(self):
        net = self.net(0.01, paired=True).loss(lambda t: 2.3)
        assert one(ssl_representation_collapse, net) is not None

    @pytest.mark.parametrize(
        ("spreads", "more"),
        [
            ((0.01,), {}),  # rows of one side only
            ((0.01, 0.6), {}),
            ((0.01, 0.01), {"sources": ["graph", "data"]}),
            ((0.01, 0.02), {"sources": ["graph", "model"]}),  # a teacher that does not learn
            ((0.01, 0.01), {"steps": 60}),
            ((lambda t: min(1.0, t / 300), lambda t: min(1.0, t / 300)), {}),  # on its way
        ],
    )
    def test_look_alikes(self, spreads, more):
        net = self.net(*spreads, **more).loss(lambda t: 2.3)
        assert one(ssl_representation_collapse, net) is None

    def test_classes_that_are_told_apart_need_no_spread(self):
        assert one(ssl_representation_collapse, self.net(0.01, 0.01)) is None


class TestGenerators:
    def net(
        self, diversity=1.0, separation=0.7, distance=0.2, *, steps=800, shared=False, batch=64
    ) -> Net:
        net = Net(steps=steps, model="D")
        net.change(INPUT, makers=["G"], model="D", shape=[batch, 8])
        for name, value in {
            "diversity": diversity, "separation": separation, "distance": distance
        }.items():  # fmt: skip
            net.set(f"samples.{name}", INPUT, value)
        maker = net._add("parameter", "G.weight", "Parameter", model="G", numel=64)
        for site, optimizer in ((net.weights[0], 3), (maker, 3 if shared else 99)):
            net.facts.append(Fact("wiring", site, data={"optimizer": optimizer}))
        return net

    def test_one_sample_again_and_again(self):
        found = one(gan_failure, self.net(diversity=lambda t: 0.02 + math.exp(-t / 9)))
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.SUSPECT, "mode_collapse")
        assert (found.values["generator"], found.values["discriminator"]) == ("G", "D")

    def test_a_discriminator_that_wins(self):
        found = one(gan_failure, self.net(0.6, 1.0, 1.2))
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.SUSPECT, "discriminator_wins")

    @pytest.mark.parametrize(
        ("values", "more"),
        [
            ((0.4, 0.7, 1.2), {}),  # away, and the discriminator is not sure
            ((0.4, 1.0, 0.2), {}),  # sure, and the samples lie among the data
            ((0.4, 1.0, 0.8), {"batch": 8}),  # means of eight samples differ by chance
            ((0.02, 1.0, 1.2), {"steps": 200}),
            ((lambda t: 0.02 if t < 60 else 1.0, 1.0, 0.2), {}),  # untrained at first
            ((0.02, 1.0, 1.2), {"shared": True}),  # an encoder and its decoder
            ((lambda t: min(1.0, t / 400), 1.0, lambda t: max(0.1, 2 - t / 100)), {}),
        ],
    )
    def test_look_alikes(self, values, more):
        assert one(gan_failure, self.net(*values, **more)) is None

    def test_a_young_run_goes_on(self):
        assert one(gan_failure, self.net(0.02), final=False) is None


class TestLabelNoise:
    def net(self, contradicted=0.2, undecided=0.03, pattern=0.02, *, steps=600) -> Net:
        net = Net(steps=steps).loss(lambda t: 0.9)
        for name, value in {
            "contradicted": contradicted, "undecided": undecided, "doubt_pattern": pattern
        }.items():  # fmt: skip
            net.set(f"label.{name}", LOSSFN, value)
        return net

    def test_labels_changed_at_random(self):
        found = one(label_noise, self.net())
        assert found is not None
        assert found.level == Level.SUSPECT
        assert found.values["loss"] == pytest.approx(0.9)

    def test_few_are_a_note(self):
        found = one(label_noise, self.net(0.1))
        assert found is not None
        assert found.level == Level.NOTE

    @pytest.mark.parametrize(
        "data",
        [
            {"contradicted": 0.03},
            {"pattern": 0.8},  # look-alikes
            {"pattern": math.nan},
            {"contradicted": 0.09, "undecided": 0.3},  # hard, or still learning
            {"contradicted": lambda t: 0.2 * math.exp(-t / 80)},
            {"steps": 60},
        ],
    )
    def test_look_alikes(self, data):
        assert one(label_noise, self.net(**data)) is None


class TestBatchSize:
    def test_the_noise_follows_from_the_ratio(self):
        # independent noise r times the gradient: the ratio squared is (50 + r) / (1 + r)
        for r in (0.05, 1.0, 20.0):
            snr = math.sqrt((50 + r) / (1 + r))
            assert noise_over_signal(snr) == pytest.approx(r)

    def net(self, size, snr, *, steps=3000) -> Net:
        net = Net(steps=steps).set("grad.snr", RUN, snr)
        return net.each_step("batch.size", RUN, size)

    def test_too_large(self):
        found = one(batch_too_large, self.net(4096.0, 6.95))
        assert found is not None
        assert found.level == Level.NOTE
        assert found.values["enough"] < 4096

    @pytest.mark.parametrize(
        ("size", "snr", "steps"), [(64.0, 6.95, 3000), (4096.0, 4.0, 3000), (4096.0, 6.95, 200)]
    )
    def test_not_too_large(self, size, snr, steps):
        assert one(batch_too_large, self.net(size, snr, steps=steps)) is None

    def test_dead_networks_have_sure_gradients(self):
        net = self.net(4096.0, 6.95).stuck().set("grad.snr", RUN, 6.95)
        assert one(batch_too_large, net) is None

    def standing(self, size=4.0, snr=1.0, level=0.7) -> Net:
        net = self.net(size, snr)
        return net.loss(lambda t: math.log(10) * level, spread=0.3)

    def test_too_small(self):
        found = one(batch_too_small, self.standing())
        assert found is not None
        assert found.level == Level.NOTE

    @pytest.mark.parametrize("data", [{"size": 64.0}, {"snr": 4.0}, {"level": 0.2}])
    def test_not_too_small(self, data):
        assert one(batch_too_small, self.standing(**data)) is None

    def test_a_rate_that_was_lowered(self):
        net = self.standing().each_step("lr", 3, lambda t: 0.1 * (1 - t / 3000))
        assert one(batch_too_small, net) is None

    def test_a_loss_that_falls(self):
        net = self.net(4.0, 1.0).each_step("loss.value", LOSS, lambda t: 2.0 - t / 2500)
        net.set("lossfn.value", LOSSFN, lambda t: 2.0 - t / 2500)
        assert one(batch_too_small, net) is None
