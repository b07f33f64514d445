"""The schedules' rates against PyTorch's schedulers, and the pitfalls the entries name."""

from __future__ import annotations

import inspect
import math
import random
import warnings

import pytest
import torch

from gradoctor.knowledge.formulary import _schedule, entries

ENTRIES = {entry.name: entry for entry in entries("schedules")}
scheduler = torch.optim.lr_scheduler
BASE = 0.3
STEPS = 200


def optimizer(**more):
    return torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=BASE, **more)


def theirs(make, steps=STEPS, key="lr", **more):
    """The rate of each step under a scheduler of PyTorch."""
    leader = optimizer(**more)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # SequentialLR uses its own old ways
        follower, found = make(leader), []
        for _ in range(steps):
            found.append(leader.param_groups[0][key])
            leader.step()
            follower.step()
    return found


def ours(rate, steps=STEPS, **parameters):
    return [rate(step, BASE, **parameters) for step in range(steps)]


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("lambda_lr", {"lr_lambda": lambda t: 0.95**t}),
        ("lambda_lr", {"lr_lambda": lambda t: 1 / (1 + t)}),
        ("step_lr", {"step_size": 30}),
        ("step_lr", {"step_size": 7, "gamma": 0.8}),
        ("exponential", {"gamma": 0.97}),
        ("cosine", {"T_max": 199}),
        ("cosine", {"T_max": 40, "eta_min": 0.01}),
        ("warm_up", {}),
        ("warm_up", {"start_factor": 0.01, "total_iters": 50}),
        ("warm_up", {"start_factor": 1.0, "end_factor": 0.1, "total_iters": 120}),
    ],
)
def test_the_rate_is_pytorchs(name, parameters):
    cls = getattr(scheduler, ENTRIES[name].torch.rpartition(".")[2])
    expected = theirs(lambda leader: cls(leader, **parameters))
    assert ours(ENTRIES[name].rate, **parameters) == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_multi_step_drops_at_its_milestones():
    asked = {"milestones": [20, 90, 91], "gamma": 0.5}
    expected = theirs(lambda leader: scheduler.MultiStepLR(leader, **asked))
    assert ours(_schedule.multi_step, **asked) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    "parameters", [{}, {"pct_start": 0.1, "div_factor": 4.0, "final_div_factor": 10.0}]
)
def test_one_cycle_is_pytorchs(parameters):
    more = {"total_steps": STEPS, **parameters}
    rates = theirs(lambda o: scheduler.OneCycleLR(o, BASE, **more), STEPS - 1, momentum=0.9)
    found = [ENTRIES["one_cycle"].rate(step, BASE, **more) for step in range(STEPS - 1)]
    assert found == pytest.approx(rates, rel=1e-9)


def test_and_so_is_its_momentum():
    make = lambda o: scheduler.OneCycleLR(o, BASE, total_steps=STEPS)  # noqa: E731
    momenta = theirs(make, STEPS - 1, key="momentum", momentum=0.9)
    found = [_schedule.one_cycle_momentum(t, total_steps=STEPS) for t in range(STEPS - 1)]
    assert found == pytest.approx(momenta, rel=1e-9)
    assert momenta[0] == 0.95
    assert min(momenta) == pytest.approx(0.85)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"factor": 0.5, "patience": 3},
        {"factor": 0.5, "patience": 2, "cooldown": 4, "min_lr": 0.01},
        {"factor": 0.9, "patience": 0, "threshold": 0.05, "eps": 0.01},
    ],
)
def test_plateau_is_pytorchs(parameters):
    chance = random.Random(0)
    losses = [math.exp(-t / 40) + 0.2 * chance.random() for t in range(STEPS)]
    leader = optimizer()
    follower = scheduler.ReduceLROnPlateau(leader, **parameters)
    expected, found = [], []
    for seen in range(1, STEPS + 1):
        follower.step(losses[seen - 1])
        expected.append(leader.param_groups[0]["lr"])
        found.append(ENTRIES["plateau"].rate(losses[:seen], BASE, **parameters))
    assert found == pytest.approx(expected, rel=1e-12)
    assert expected[-1] < BASE


def test_warm_up_and_cosine_are_pytorchs_in_sequence():
    def make(leader):
        warm = scheduler.LinearLR(leader, start_factor=0.01, total_iters=20)
        cosine = scheduler.CosineAnnealingLR(leader, T_max=180)
        return scheduler.SequentialLR(leader, [warm, cosine], milestones=[20])

    found = ours(_schedule.warm_up_cosine, warm=20, total=STEPS)
    assert found == pytest.approx(theirs(make), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("name", ENTRIES)
def test_every_parameter_of_pytorchs_is_explained_and_no_other(name):
    classes = [getattr(scheduler, ENTRIES[name].torch.rpartition(".")[2])]
    if name == "step_lr":
        classes.append(scheduler.MultiStepLR)
    known = {key for cls in classes for key in inspect.signature(cls).parameters}
    assert set(ENTRIES[name].parameters) == known - {"optimizer"}


@pytest.mark.parametrize("name", ENTRIES)
def test_the_picture_shows_a_rate_under_two_settings(name):
    first = ENTRIES[name].draw()[0]
    assert len({curve.y for curve in first.curves}) >= 2
    assert all(0 <= value <= 1 + 1e-12 for curve in first.curves for value in curve.y)


# Pitfalls


def test_lambda_gives_a_factor_not_a_rate():
    expected = theirs(lambda o: scheduler.LambdaLR(o, lambda _: BASE), steps=3)
    assert expected == pytest.approx([BASE * BASE] * 3)


def test_lambda_is_not_saved():
    saved = scheduler.LambdaLR(optimizer(), lambda t: 0.5**t).state_dict()
    assert saved["lr_lambdas"] == [None]


def test_going_on_without_an_initial_rate_fails():
    with pytest.raises(KeyError, match="initial_lr"):
        scheduler.StepLR(optimizer(), 10, last_epoch=5)


def test_cosine_climbs_back_past_its_bottom():
    rate = ENTRIES["cosine"].rate
    assert rate(50, BASE, T_max=50) == pytest.approx(0, abs=1e-15)
    assert rate(100, BASE, T_max=50) == pytest.approx(BASE)
    found = theirs(lambda o: scheduler.CosineAnnealingLR(o, 50), 101)
    assert found[100] == pytest.approx(BASE)


def test_one_cycle_over_run_raises():
    leader = optimizer(momentum=0.9)
    follower = scheduler.OneCycleLR(leader, BASE, total_steps=5)
    for _ in range(5):
        leader.step()
        follower.step()
    with pytest.raises(ValueError, match="total steps"):
        follower.step()
    with pytest.raises(ValueError, match="5 steps"):
        ENTRIES["one_cycle"].rate(6, BASE, total_steps=5)


def test_one_cycle_needs_momentum_and_overwrites_the_rate():
    without = torch.optim.Adagrad([torch.nn.Parameter(torch.zeros(1))])
    with pytest.raises(ValueError, match="momentum"):
        scheduler.OneCycleLR(without, BASE, total_steps=5)
    leader = optimizer(momentum=0.5)
    scheduler.OneCycleLR(leader, 2.5, total_steps=5)
    assert leader.param_groups[0]["lr"] == pytest.approx(2.5 / 25)
    assert leader.param_groups[0]["momentum"] == 0.95


def test_a_scheduler_before_the_optimizer_is_warned_of():
    follower = scheduler.StepLR(optimizer(), 10)
    with pytest.warns(UserWarning, match="optimizer.step"):
        follower.step()


def test_linear_refuses_zero():
    with pytest.raises(ValueError, match="greater than 0"):
        scheduler.LinearLR(optimizer(), start_factor=0)


def test_a_relative_threshold_fails_below_zero():
    """A loss of -1 that stands still counts as better than -1·(1 - 1e-4)."""
    leader = optimizer()
    follower = scheduler.ReduceLROnPlateau(leader)
    for _ in range(30):
        follower.step(-1.0)
    assert leader.param_groups[0]["lr"] == BASE == _schedule.plateau([-1.0] * 30, BASE)
    assert _schedule.plateau([1.0] * 30, BASE) < BASE


def test_exponential_rates_add_up_to_a_finite_way():
    total = sum(ours(ENTRIES["exponential"].rate, 2000, gamma=0.9))
    assert total == pytest.approx(BASE / (1 - 0.9))


def test_the_rows_explain_parameters_and_pitfalls():
    rows = ENTRIES["cosine"].details()
    assert ("T_max", "T_max") in [tuple(name) for name, _ in rows]
    assert sum(name.en == "pitfall" for name, _ in rows) == len(ENTRIES["cosine"].pitfalls)
