"""One task after another: what tells them apart, and what becomes of the speed of learning."""

from __future__ import annotations

import math

import numpy as np
import pytest

from builders import INPUT, LOSS, LOSSFN, OPTIMIZER, Net
from gradoctor.records import Fact, Level
from gradoctor.rules.data.not_shuffled import not_shuffled
from gradoctor.rules.evidence import UndecidedError
from gradoctor.rules.evidence.tasks import in_losses, slower, tasks
from gradoctor.rules.optimisation.loss_of_plasticity import loss_of_plasticity
from gradoctor.rules.optimisation.loss_spike import loss_spike
from rules.structural.made import one

BASE, LENGTH, COUNT = math.log(10), 100, 16


def pace(task: int, growth: float) -> float:
    """Steps in which the loss of a task falls to 1/e."""
    return 8.0 + growth * task


def learner(growth: float = 3.0, *, silent: bool = True, steps: int = LENGTH * COUNT) -> Net:
    """New tasks every hundred steps, each slower than the last, and units that fall silent."""

    def loss(t: int) -> float:
        task, since = divmod(t, LENGTH)
        high = 2.3 if task == 0 else 5.0
        return 0.1 + high * math.exp(-since / pace(task, growth))

    net = Net(steps=steps).loss(loss, spread=0.05)
    net.set("input.std", INPUT, 0.4, spread=0.02)
    for site in net.activations:
        share = (lambda t: 0.1 + 0.7 * t / steps) if silent else 0.1
        net.set("act.dormant_fraction", site, share)
    return net


def answered(net: Net, verdict: str, **values: float) -> Net:
    data = {"name": "plasticity", "verdict": verdict, "values": values, "cautions": []}
    net.facts.append(Fact("probe", None, "plasticity", data=data))
    return net


class TestTasks:
    def test_the_classes_of_a_task_are_no_lack_of_shuffling(self):
        found = one(not_shuffled, learner().set("label.entropy", LOSSFN, 0.7, spread=0.02))
        assert found is not None
        assert found.level == Level.NOTE
        assert ("successive-tasks", True) in found.exclusions

    def test_their_length_and_number(self):
        found = tasks(learner().build())
        assert (found.length, len(found.took)) == (LENGTH, COUNT)
        assert found.begins(3 * LENGTH + 2)
        assert not found.begins(3 * LENGTH + 40)
        assert not found.begins(2), "the first task is no change"

    def test_as_many_as_a_long_run_has(self):
        since = np.arange(20_000) % LENGTH
        values = 0.1 + 5.0 * np.exp(-since / 10)
        found = in_losses(np.arange(20_000), values, BASE)
        assert (found.length, len(found.took)) == (LENGTH, 200)

    def test_a_long_run_that_comes_and_goes_at_random(self):
        draw = np.random.default_rng(0)
        values = np.repeat(draw.choice([0.3, 1.4], 2500, p=[0.7, 0.3]), 8)
        assert not in_losses(np.arange(0, 1_000_000, 50), values, 1.0).found

    def test_slower_and_slower(self):
        known = slower(tasks(learner().build()))
        assert known.ratio > 2
        assert known.steady
        level = slower(tasks(learner(0.0).build()))
        assert level.ratio == pytest.approx(1.0, abs=0.25)
        assert not level.steady

    def test_spikes_at_any_step_are_none(self):
        at = np.cumsum(np.random.default_rng(3).integers(40, 260, 10))
        net = Net(steps=1600)
        net.loss(lambda t: 0.4 + 3.0 * any(a <= t < a + 8 for a in at), spread=0.05)
        assert not tasks(net.build()).found

    def test_restarts_of_the_schedule_are_none(self):
        net = learner()
        net.each_step("lr", OPTIMIZER, lambda t: 0.1 * (1 - 0.9 * (t % LENGTH) / LENGTH))
        assert not tasks(net.build()).found

    def test_one_task_is_none(self):
        assert not tasks(Net(steps=1600).build()).found

    def test_losses_that_play_against_each_other_are_none(self):
        net = learner()
        other = net._add("loss", "other", "loss", optimizers=[OPTIMIZER, 99])
        net.each_step("loss.value", other, 1.0)
        assert not tasks(net.build()).found

    def test_a_new_task_is_no_spike(self):
        net = learner()
        assert one(loss_spike, net) is None
        net.light["loss.value"][LOSS][1150:1165] = [60.0] * 15
        found = one(loss_spike, net)
        assert found is not None
        assert found.values["count"] == 1


class TestLossOfPlasticity:
    def test_suspect_by_the_run_alone(self):
        found = one(loss_of_plasticity, learner())
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.SUSPECT, "tasks")
        assert found.values["ratio"] > 2
        assert found.values["ends_last"] > 2 * found.values["ends_first"]
        assert (found.values["tasks"], found.values["length"]) == (COUNT, LENGTH)

    @pytest.mark.parametrize(
        "changes", [{"growth": 0.0}, {"silent": False}, {"steps": 7 * LENGTH}], ids=str
    )
    def test_undecided_without_one_of_the_signs(self, changes):
        with pytest.raises(UndecidedError, match="not-probed:plasticity"):
            one(loss_of_plasticity, learner(**changes))

    def test_a_falling_rate_explains_it(self):
        net = learner()
        net.each_step("lr", OPTIMIZER, lambda t: 0.1 * math.exp(-t / 800))
        with pytest.raises(UndecidedError):
            one(loss_of_plasticity, net)

    @pytest.mark.parametrize(
        ("statistic", "site"), [("input.std", INPUT), ("label.entropy", LOSSFN)]
    )
    def test_a_curriculum_explains_it(self, statistic, site):
        net = learner()
        net.set(statistic, site, lambda t: 0.5 + t / 1600)
        with pytest.raises(UndecidedError):
            one(loss_of_plasticity, net)

    def test_one_stationary_task_is_never_judged(self):
        net = Net(steps=1600)
        for site in net.activations:
            net.set("act.dormant_fraction", site, lambda t: 0.1 + 0.7 * t / 1600)
        assert one(loss_of_plasticity, net) is None
        assert one(loss_of_plasticity, answered(net, "lost", ratio=3.0)) is None


class TestProbed:
    def test_it_finds_what_the_run_does_not_show(self):
        net = answered(learner(0.0), "lost", ratio=2.6, initial=20, now=52)
        found = one(loss_of_plasticity, net)
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.SUSPECT, "probe")
        assert (found.values["first"], found.values["last"]) == (20, 52)

    def test_heavier_weights_are_a_witness_and_nothing_is_none(self):
        net = answered(learner(0.0, silent=False), "lost", ratio=2.6, initial=20, now=52)
        assert one(loss_of_plasticity, net) is None
        for weight in net.weights:
            net.set("weight.rms", weight, lambda t: 0.1 + t / 8000)
        found = one(loss_of_plasticity, net)
        assert found is not None
        assert found.values["heavier"] == pytest.approx(3.0, abs=0.1)

    def test_what_the_run_shows_by_itself_comes_first(self):
        found = one(loss_of_plasticity, answered(learner(), "lost", ratio=2.6, initial=20, now=52))
        assert found is not None
        assert (found.level, found.values["kind"]) == (Level.SUSPECT, "tasks")
        assert found.evidence[-1].statistic == "probe.plasticity"

    def test_kept_plasticity_lets_the_suspicion_go(self):
        assert one(loss_of_plasticity, answered(learner(), "kept", ratio=1.0)) is None

    @pytest.mark.parametrize("verdict", ["slower", "too-hard", "unknown-loss"])
    def test_other_answers_change_nothing(self, verdict):
        found = one(loss_of_plasticity, answered(learner(), verdict, ratio=1.7))
        assert found is not None
        assert found.values["kind"] == "tasks"
