"""What was learnt and lost again in mid-run: 401, 509, 616, and what comes back."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from builders import INPUT, LOSS, LOSSFN, OPTIMIZER, RUN, Net
from gradoctor.diagnosis import diagnose
from gradoctor.records import Level, Site
from gradoctor.rules.data.labels_independent_of_inputs import labels_independent_of_inputs
from gradoctor.rules.evidence.relapse import relapsed
from gradoctor.rules.optimisation.lr_too_high_divergence import lr_too_high_divergence
from gradoctor.rules.outcome.stuck_at_baseline import stuck_at_baseline
from rules.structural.made import called, one

BASE, JUMP, STEPS = math.log(10), 300, 600


def falling(t: int) -> float:
    return BASE * (0.1 + 0.9 * math.exp(-t / 40))


def lost(t: int) -> float:
    """Falls, and is back at the baseline from one step on."""
    return falling(t) if t < JUMP else BASE * 1.01


def net(value: Callable[[int], float] = lost, *, steps: int = STEPS, spread: float = 0.02) -> Net:
    made = called(Net(steps=steps)).loss(value, spread=spread).set("grad.snr", RUN, 0.9)
    for site in made.layers:
        made.set("act.centred_ratio", site, 0.5)
    made.set("input.mean", INPUT, 0.4, spread=0.02)
    return made.set("input.std", INPUT, 1.1, spread=0.02)


class TestRelapse:
    def test_found_at_its_step(self):
        found = relapsed(net().build())
        assert (found.found, found.step, found.lasted) == (True, JUMP, STEPS - JUMP)
        assert found.before == pytest.approx(0.1 * BASE, rel=0.1)
        assert found.after == pytest.approx(BASE, rel=0.05)

    def test_without_a_baseline_where_it_began_counts(self):
        made = net()
        made.rows["lossfn.baseline"][LOSSFN] = [math.nan] * len(made.looks)
        assert relapsed(made.build()).found

    @pytest.mark.parametrize(
        "value",
        [
            falling,
            lambda t: BASE * 1.01,  # never left
            lambda t: falling(t) if t < JUMP else falling(t - JUMP),  # a new task, being learnt
            lambda t: BASE * 3 if JUMP <= t < JUMP + 30 else falling(t),  # a spike
            lambda t: falling(t) if t < 570 else BASE,  # too late to tell
            lambda t: falling(t) if t < JUMP else 0.5 * BASE,  # harder, and known in part
            lambda t: falling(t) if t < 200 else BASE * min(1.0, 0.1 + (t - 200) / 200),  # slowly
            lambda t: falling(t) if t < JUMP else BASE * (1.6 - 0.6 * (t - JUMP) / 300),  # falls
        ],
    )
    def test_look_alikes(self, value):
        assert not relapsed(net(value).build()).found

    def test_losses_that_play_against_each_other(self):
        made = net()
        other = len(made.sites)
        made.sites.append(Site(other, "loss", "generator", meta={"optimizers": [99]}))
        made.each_step("loss.value", other, 1.0)
        assert not relapsed(made.build()).found


class TestRaisedRate:
    def test_from_one_step_to_the_next(self):
        made = net().each_step("lr", OPTIMIZER, lambda t: 0.1 if t < JUMP - 2 else 10.0)
        found = one(lr_too_high_divergence, made)
        assert found is not None
        assert (found.level, found.first_step, found.values["kind"]) == (
            Level.SICK, JUMP - 2, "raised"
        )  # fmt: skip
        assert found.values["usual"] == pytest.approx(0.1)
        assert found.values["lr"] == pytest.approx(10.0)
        findings = {f.code: f for f in diagnose(made.build()).findings}
        assert findings["GD401"].root
        assert "GD616" not in findings

    def test_a_loss_that_is_no_longer_finite(self):
        made = net(lambda t: falling(t) if t < JUMP else math.nan)
        made.each_step("loss.nonfinite", LOSS, lambda t: float(t >= JUMP))
        made.each_step("lr", OPTIMIZER, lambda t: 0.1 if t < JUMP else 1.0)
        found = one(lr_too_high_divergence, made)
        assert found is not None
        assert found.values["kind"] == "raised"

    @pytest.mark.parametrize("raise_at", [100, JUMP + 50])
    def test_another_time(self, raise_at):
        made = net().each_step("lr", OPTIMIZER, lambda t: 0.1 if t < raise_at else 1.0)
        assert one(lr_too_high_divergence, made) is None

    def test_restarts_that_are_got_over(self):
        made = net(falling).each_step("lr", OPTIMIZER, lambda t: 0.1 * (1 - (t % 100) / 101))
        assert one(lr_too_high_divergence, made) is None

    def test_a_burst_at_the_same_rate(self):
        made = net()
        for weight in made.weights:
            made.set("update.ratio", weight, lambda t: 0.8 if JUMP - 5 <= t <= JUMP + 5 else 1e-3)
        found = one(lr_too_high_divergence, made)
        assert found is not None
        assert found.values["kind"] == "grown"
        assert one(labels_independent_of_inputs, made) is None


class TestLostLabels:
    def test_neither_rate_nor_weights_nor_inputs(self):
        found = one(labels_independent_of_inputs, net())
        assert found is not None
        assert (found.level, found.first_step) == (Level.SUSPECT, JUMP)
        assert found.values["kind"] == "lost"

    def test_the_outcome_folds_under_it(self):
        findings = {f.code: f for f in diagnose(net().build()).findings}
        assert findings["GD616"].root
        assert findings["GD509"].level == Level.SICK
        assert "GD616" in findings["GD509"].explained_by

    def test_the_rate_rose(self):
        made = net().each_step("lr", OPTIMIZER, lambda t: 0.1 if t < JUMP else 0.2)
        assert one(labels_independent_of_inputs, made) is None

    @pytest.mark.parametrize(("statistic", "value"), [("input.mean", 5.0), ("input.std", 40.0)])
    def test_the_inputs_changed(self, statistic, value):
        made = net().set(statistic, INPUT, lambda t: value if t >= JUMP else 1.0)
        assert one(labels_independent_of_inputs, made) is None

    def test_not_at_once(self):
        made = net(lambda t: falling(t) if t < JUMP else BASE * min(1.01, 0.1 + (t - JUMP) / 8))
        assert relapsed(made.build()).found
        assert one(labels_independent_of_inputs, made) is None


class TestLostOutcome:
    def test_for_good(self):
        found = one(stuck_at_baseline, net())
        assert found is not None
        assert (found.level, found.first_step) == (Level.SICK, JUMP)
        assert found.values["kind"] == "lost"
        assert found.values["before"] == pytest.approx(0.1 * BASE, rel=0.1)

    def test_not_yet_as_long_as_it_took_to_come_down(self):
        slowly = lambda t: BASE * (0.1 + 0.9 * math.exp(-t / 400))  # noqa: E731
        made = net(lambda t: slowly(t) if t < 480 else BASE * 1.01)
        assert relapsed(made.build()).found
        assert one(stuck_at_baseline, made) is None
