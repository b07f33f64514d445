"""What answers of probes do to findings."""

from __future__ import annotations

import math

import pytest

from builders import LOSS, RUN, Net
from gradoctor.records import Fact, Level
from gradoctor.rules.evidence import UndecidedError
from gradoctor.rules.evidence.probes import probed, weighed
from gradoctor.rules.optimisation.lr_too_high_divergence import lr_too_high_divergence
from gradoctor.rules.optimisation.lr_too_low import lr_too_low
from gradoctor.rules.wiring.leakage import leakage


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
