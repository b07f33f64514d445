"""What answers of probes do to findings."""

from __future__ import annotations

import math

import pytest

from builders import INPUT, LOSS, LOSSFN, RUN, Net
from gradoctor.diagnosis import diagnose
from gradoctor.records import Fact, Level
from gradoctor.rules.architecture.bn_train_eval_mismatch import bn_train_eval_mismatch
from gradoctor.rules.data.input_unnormalised import input_unnormalised
from gradoctor.rules.data.labels_independent_of_inputs import labels_independent_of_inputs
from gradoctor.rules.evidence import UndecidedError
from gradoctor.rules.evidence.probes import probed, weighed
from gradoctor.rules.initialisation.init_gain_too_large import init_gain_too_large
from gradoctor.rules.initialisation.init_gain_too_small import init_gain_too_small
from gradoctor.rules.optimisation.lr_too_high_divergence import lr_too_high_divergence
from gradoctor.rules.optimisation.lr_too_low import lr_too_low
from gradoctor.rules.optimisation.sharpness_above_threshold import sharpness_above_threshold
from gradoctor.rules.wiring.leakage import leakage
from rules.evaluations import batch_norm, evaluated
from rules.structural.made import called

WEIGHTS = {"span": -20.0, "span_standardised": -19.5, "loudest": 2.0, "loudest_standardised": 1.8}
HELPED = {**WEIGHTS, "span_standardised": -15.0}
BROKEN = {"gap": 1.4, "norm": "norm", "shift": 0.9, "scale": 2.0, "momentum": 0.1,
          "loss_train": 0.5, "loss_eval": 1.2}  # fmt: skip


ABOVE = {"sharpness": 120.0, "threshold": 20.0, "formula": "2 / lr", "ratio": 6.0, "lr": 0.1,
         "safe": 0.0167, "step": 3, "optimizer": "SGD"}  # fmt: skip


def ask(net: Net, name: str, verdict: str, **values: object) -> Net:
    data = {"name": name, "verdict": verdict, "values": values, "cautions": []}
    net.facts.append(Fact("probe", None, name, data=data))
    return net


def level(rule, net: Net) -> Level:
    (found,) = rule.judge(net.build())
    return found.level


def slow(net: Net) -> Net:
    """The gradient agrees with itself, updates are tiny, the loss creeps."""
    net.loss(lambda t: math.log(10) * (1 - t * 1e-6), spread=1e-4)
    net.set("grad.snr", RUN, 6.0).set("grad.cosine", RUN, 0.66)
    for weight in net.weights:
        net.set("update.ratio", weight, 3e-6)
        net.set("weight.movement", weight, lambda t: 3e-6 * t)
    return net


def burst(net: Net) -> Net:
    """Weights change by half of themselves at once, and the loss is gone."""
    for weight in net.weights:
        net.set("update.ratio", weight, 0.8)
    net.each_step("loss.value", LOSS, lambda t: 2.3 * 4.0**t if t < 20 else math.nan)
    net.each_step("loss.nonfinite", LOSS, lambda t: float(t >= 20))
    return net


@pytest.mark.parametrize(
    ("verdict", "values", "wanted"),
    [
        (None, {}, Level.SICK),
        ("higher", {"gain_high": 0.8}, Level.CONFIRMED),
        ("right", {"gain_high": -0.9}, Level.NOTE),
        ("right", {"diverged_high": True}, Level.NOTE),
        ("right", {"gain_high": 0.1}, Level.SICK),
        ("not-the-rate", {"gain_high": None}, Level.SICK),
    ],
)
def test_ten_times_a_low_rate(verdict, values, wanted):
    net = slow(Net())
    assert level(lr_too_low, ask(net, "learning-rate", verdict, **values) if verdict else net) == (
        wanted
    )


@pytest.mark.parametrize(
    ("verdict", "wanted"),
    [(None, Level.SICK), ("lower", Level.CONFIRMED), ("diverges-anyway", Level.SICK)],
)
def test_a_tenth_of_a_high_rate(verdict, wanted):
    net = burst(Net(steps=30))
    if verdict:
        ask(net, "learning-rate", verdict)
    assert level(lr_too_high_divergence, net) == wanted


def test_a_note_is_neither_confirmed_nor_refuted():
    assert weighed(Level.NOTE, confirmed=True, refuted=False) == Level.NOTE
    assert weighed(Level.SUSPECT, confirmed=False, refuted=True) == Level.NOTE
    assert weighed(Level.SICK, confirmed=False, refuted=False) == Level.SICK


class TestSharpness:
    def found(self, net: Net, verdict: str = "above", **values: object):
        return list(sharpness_above_threshold.judge(
            ask(net, "sharpness", verdict, **{**ABOVE, **values}).build()
        ))  # fmt: skip

    def test_it_is_as_grave_as_what_it_explains(self):
        (thrown,) = lr_too_high_divergence.judge(burst(Net(steps=30)).build())
        (found,) = self.found(burst(Net(steps=30)))
        assert found.level == thrown.level == Level.SICK
        assert found.first_step <= thrown.first_step
        assert found.values["ratio"] == 6.0
        assert found.values["safe"] == 0.0167

    def test_it_becomes_the_root(self):
        net = ask(burst(Net(steps=30)), "sharpness", "above", **ABOVE)
        result = diagnose(net.build())
        (root,) = [f for f in result.findings if f.root]
        assert root.code == "GD416"
        assert "GD401" in root.explains

    def test_a_rate_that_was_tried_leaves_it_at_sick(self):
        net = ask(burst(Net(steps=30)), "learning-rate", "lower")
        (found,) = self.found(net)
        assert found.level == Level.SICK

    def test_it_never_speaks_alone(self):
        (found,) = self.found(Net())
        assert found.level == Level.NOTE
        assert diagnose(ask(Net(), "sharpness", "above", **ABOVE).build()).verdict == "healthy"

    @pytest.mark.parametrize(
        "verdict",
        ["tolerated", "unsettled", "at-edge", "below", "crossed", "other-reason", "other-gradient"],
    )
    def test_other_answers_say_nothing(self, verdict):
        assert self.found(burst(Net(steps=30)), verdict) == []

    def test_without_the_probe_it_is_not_decided(self):
        with pytest.raises(UndecidedError, match="not-probed:sharpness"):
            list(sharpness_above_threshold.judge(burst(Net(steps=30)).build()))


class TestLeakage:
    def test_a_leak_is_confirmed_where_it_begins(self):
        net = ask(Net(), "causal", "leak", input=5, output=4, module="layers.1", tries=7, leaks=3.0,
                  file="model.py", line=12)  # fmt: skip
        (found,) = leakage.judge(net.build())
        assert found.level == Level.CONFIRMED
        assert (found.file, found.line) == ("model.py", 12)
        assert found.values["kind"] == "future"
        assert [net.build().sites[s].name for s in found.sites] == ["layers.1"]

    def test_samples_that_see_each_other_are_suspect(self):
        net = ask(Net(), "causal", "mixes-samples", tries=7, module=None, model="Net")
        (found,) = leakage.judge(net.build())
        assert (found.level, found.values["module"]) == (Level.SUSPECT, "Net")

    @pytest.mark.parametrize("verdict", ["causal", "looks-ahead", "pointwise", "no-axis", "unseen"])
    def test_other_answers_say_nothing(self, verdict):
        assert not list(leakage.judge(ask(Net(), "causal", verdict).build()))

    def test_another_probe_does_not_decide_it(self):
        net = ask(Net(), "overfit", "memorises")
        with pytest.raises(UndecidedError):
            list(leakage.judge(net.build()))
        assert probed(net.build(), "overfit").verdict == "memorises"


class TestUnmasked:
    """A model that has not been probed and predicts the next input all too well."""

    def net(self, *, share: float = 1.0, end: float = 0.05, role: str = "attention") -> Net:
        net = Net().loss(lambda t: math.log(10) * (end + (1 - end) * math.exp(-t / 20)))
        net._add("module", "attention", "MultiheadAttention", order=1, role=role, model="Net")
        return net.set("label.next", LOSSFN, share)

    def test_nothing_hides_the_future(self):
        (found,) = leakage.judge(self.net().build())
        assert (found.level, found.values["kind"]) == (Level.SUSPECT, "unmasked")
        assert found.values["gained"] == pytest.approx(0.95, abs=0.02)

    @pytest.mark.parametrize("changes", [{"share": 0.2}, {"end": 0.3}, {"role": "matmul"}], ids=str)
    def test_no_suspicion(self, changes):
        with pytest.raises(UndecidedError, match="not-probed:causal"):
            list(leakage.judge(self.net(**changes).build()))

    @pytest.mark.parametrize("how", ["mask", "recurrent"])
    def test_a_mask_or_one_direction(self, how):
        net = self.net()
        net.facts.append(Fact("causal", None, how, data={"how": how}))
        with pytest.raises(UndecidedError, match="not-probed:causal"):
            list(leakage.judge(net.build()))

    def test_the_probe_lets_it_go(self):
        assert not list(leakage.judge(ask(self.net(), "causal", "causal").build()))


class TestInitOrData:
    """Weights or the scale of the inputs: what noise and standardised inputs say."""

    def unscaled(self) -> Net:
        net = Net(6, activation="tanh").stuck()
        for site in net.activations:
            net.set("act.saturated_fraction", site, 0.8)
        for site in net.layers:
            net.set("act.rms", site, 5.0)
        net.set("act.rms", net.layers[0], 80.0)
        return net.set("input.feature_mean", INPUT, 128.0)

    def small(self) -> Net:
        net = Net(6).gradient_slope(4.3).stuck()
        for i, layer in enumerate(net.layers):
            net.set("act.rms", layer, 2.0 ** (-4.3 * i))
        return net

    @pytest.mark.parametrize(
        ("verdict", "values", "large", "unnormalised"),
        [
            (None, {}, Level.SUSPECT, Level.SICK),
            ("init", WEIGHTS, Level.CONFIRMED, Level.NOTE),
            ("init", HELPED, Level.SUSPECT, Level.SICK),
            ("init", {**WEIGHTS, "loudest": None}, Level.SUSPECT, Level.SICK),
            ("data-scale", WEIGHTS, Level.NOTE, Level.CONFIRMED),
            ("data", WEIGHTS, Level.SUSPECT, Level.SICK),
            ("healthy", WEIGHTS, Level.SUSPECT, Level.SICK),
        ],
    )
    def test_two_rivals(self, verdict, values, large, unnormalised):
        net = self.unscaled()
        if verdict:
            ask(net, "init", verdict, **values)
        assert level(init_gain_too_large, net) == large
        assert level(input_unnormalised, net) == unnormalised

    @pytest.mark.parametrize(
        ("verdict", "wanted"),
        [("init", Level.CONFIRMED), ("data-scale", Level.NOTE), ("shallow", Level.SICK)],
    )
    def test_small_weights(self, verdict, wanted):
        assert level(init_gain_too_small, ask(self.small(), "init", verdict, **WEIGHTS)) == (wanted)

    def test_without_harm_nothing_is_confirmed(self):
        net = Net(12).gradient_slope(1.5)
        for i, layer in enumerate(net.layers):
            net.set("act.rms", layer, 2.0 ** (-1.5 * i))
        assert level(init_gain_too_small, ask(net, "init", "init", **WEIGHTS)) == Level.NOTE

    def test_an_answer_that_was_cut_short_is_not_weighed(self):
        net = ask(self.small(), "init", "data-scale", **WEIGHTS)
        net.facts[-1].data["cautions"].append("cut-short")  # type: ignore[index]
        assert level(init_gain_too_small, net) == Level.SICK


class TestLabels:
    def net(self, *, apart: float = 0.5) -> Net:
        net = called(Net().stuck(), producer="addmm").set("grad.snr", RUN, 0.8)
        for site in net.layers:
            net.set("act.centred_ratio", site, apart)
        return net

    @pytest.mark.parametrize(
        ("verdict", "wanted"),
        [("memorises", Level.SUSPECT), ("stuck", Level.NOTE), ("part", Level.SUSPECT)],
    )
    def test_who_can_learn_by_heart(self, verdict, wanted):
        net = ask(self.net(), "overfit", verdict, left=0.01)
        assert level(labels_independent_of_inputs, net) == wanted

    def test_able_although_layers_look_alike(self):
        net = self.net(apart=1e-3)
        assert not list(labels_independent_of_inputs.judge(net.build()))
        ask(net, "overfit", "memorises", left=0.01)
        (found,) = labels_independent_of_inputs.judge(net.build())
        assert found.level == Level.SUSPECT
        assert found.evidence[-1].statistic == "probe.left"

    def test_able_and_dead_is_another_illness(self):
        net = ask(self.net(), "overfit", "memorises", left=0.01)
        for site in net.activations:
            net.set("act.dead_fraction", site, 0.9)
        assert not list(labels_independent_of_inputs.judge(net.build()))


class TestModes:
    """Batch norm in eval mode: the run's own evaluation, and one batch through both modes."""

    def net(self, *, gap: float = 0.9) -> Net:
        net = Net(steps=400)
        net.set("norm.mean_gap", batch_norm(net), gap)
        return net

    def test_a_mismatch_is_confirmed(self):
        net = self.net()
        evaluated(net, lambda t: 2.4)
        assert level(bn_train_eval_mismatch, net) == Level.SICK
        assert level(bn_train_eval_mismatch, ask(net, "train-eval", "norm", **BROKEN)) == (
            Level.CONFIRMED
        )

    @pytest.mark.parametrize(("gap", "wanted"), [(0.9, Level.SICK), (0.1, Level.SUSPECT)])
    def test_a_script_that_never_evaluates(self, gap, wanted):
        net = ask(self.net(gap=gap), "train-eval", "norm", **BROKEN)
        (found,) = bn_train_eval_mismatch.judge(net.build())
        assert found.level == wanted
        assert found.values["ratio"] == pytest.approx(2.4)
        assert net.build().sites[found.sites[0]].name == "norm"

    @pytest.mark.parametrize(
        ("verdict", "changes"), [("same", {}), ("early", {}), ("norm", {"gap": 0.1}),
                                 ("norm", {"gap": None})],
    )  # fmt: skip
    def test_other_answers_are_no_finding(self, verdict, changes):
        net = ask(self.net(), "train-eval", verdict, **{**BROKEN, **changes})
        with pytest.raises(UndecidedError, match="no-evaluation"):
            list(bn_train_eval_mismatch.judge(net.build()))

    def test_an_evaluation_that_is_well_outweighs_the_probe(self):
        net = ask(self.net(), "train-eval", "norm", **BROKEN)
        evaluated(net, lambda t: 0.5)
        assert not list(bn_train_eval_mismatch.judge(net.build()))
