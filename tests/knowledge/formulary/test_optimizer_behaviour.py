"""How the optimizers behave, by their reference rules: invariances, limits, first steps."""

from __future__ import annotations

import math

import pytest
import torch

from gradoctor.knowledge.formulary import _curvature, _optimizer, _updates
from gradoctor.knowledge.formulary._optimizer import (
    BEGINNING,
    INVARIANCES,
    STIFFNESS,
    descend,
    height,
    slope,
)

from .test_optimizers import ENTRIES, _double  # noqa: F401

F = torch.nn.functional


def path(name, gradient, start, steps=25, **more):
    """Weights after each step under a gradient that is a function of weights and step."""
    entry, weights, found = ENTRIES[name], list(start), []
    state = entry.start(len(weights))
    if name == "lbfgs":
        more = {"max_iter": 1, **more}
    for step in range(steps):
        seen = gradient(weights, step)
        seen = (lambda _, s=seen: (0.0, s)) if name == "lbfgs" else seen
        weights = entry.step(weights, seen, state, **more)
        found.append(weights)
    return torch.tensor(found)


def ravine(weights, _):
    return slope(weights)


RATES = {"sgd": 0.01, "gradient_descent": 0.01, "momentum": 0.01, "nesterov": 0.01, "lbfgs": 0.2,
         "adadelta": 1.0, "muon": 0.02}  # fmt: skip


def changed(name, treatment):
    """How far apart the paths are with and without a treatment, beside what was travelled."""
    rate = RATES.get(name, 0.1)
    start = BEGINNING if treatment != "rotation" else (-0.4, 0.003)
    still = {"weight_decay": 0.0} if name == "muon" else {}
    plain = path(name, ravine, start, lr=rate, **still)
    if treatment == "rotation":
        turn = torch.tensor([[0.8, -0.6], [0.6, 0.8]])

        def turned(weights, _):
            back = turn.T @ torch.tensor(weights)
            return (turn @ torch.tensor(slope(back.tolist()))).tolist()

        other = path(name, turned, (turn @ torch.tensor(start)).tolist(), lr=rate, **still) @ turn
    else:
        factors = {"scale": lambda step: (40, 40), "diagonal": lambda step: (3, 1000),
                   "sign": lambda step: (1 + step % 3, 2 + step % 5)}[treatment]  # fmt: skip

        def scaled(weights, step):
            pairs = zip(slope(weights), factors(step), strict=True)
            return [g * f for g, f in pairs]

        other = path(name, scaled, start, lr=rate, **still)
    return ((plain - other).abs().max() / (plain - torch.tensor(start)).abs().max()).item()


# Epsilon is no longer small once Adadelta's squares meet 1e-6, or a gradient nears 1e-8.
NEARLY = {"adadelta": 1e-3}


@pytest.mark.parametrize("treatment", ["scale", "diagonal", "sign", "rotation"])
@pytest.mark.parametrize("name", [n for n in ENTRIES if n != "muon"])
def test_an_optimizer_is_invariant_to_what_its_entry_says_and_to_no_more(name, treatment):
    difference = changed(name, treatment)
    if treatment in ENTRIES[name].invariant:
        assert difference < NEARLY.get(name, 1e-5)
    else:
        assert difference > 0.02


def muon_update(matrix, **more):
    rows, columns = matrix.shape
    state = _curvature.start_muon(rows * columns, rows)
    moved = _curvature.muon([0.0] * matrix.numel(), matrix.flatten().tolist(), state, lr=1.0)
    return torch.tensor(moved).reshape(rows, columns)


def test_muon_is_invariant_to_scale_and_to_rotations_of_inputs_and_outputs():
    chance = torch.Generator().manual_seed(3)
    matrix = torch.randn(3, 4, generator=chance)
    left, _ = torch.linalg.qr(torch.randn(3, 3, generator=chance))
    right, _ = torch.linalg.qr(torch.randn(4, 4, generator=chance))
    update = muon_update(matrix)
    torch.testing.assert_close(muon_update(1000 * matrix), update)
    torch.testing.assert_close(muon_update(left @ matrix @ right), left @ update @ right)
    rows = torch.tensor([[1.0], [10.0], [100.0]])
    assert (muon_update(rows * matrix) - update).abs().max() > 0.1
    assert set(ENTRIES["muon"].invariant) == {"scale", "orthogonal"}


def test_every_invariance_named_is_known():
    assert {key for entry in ENTRIES.values() for key in entry.invariant} == set(INVARIANCES)


# What the entries say


def test_gradient_descent_converges_below_two_over_the_curvature_only():
    limit = 2 / max(STIFFNESS)
    for factor, falls in ((0.99, True), (1.01, False)):
        ends = descend(_updates.start_sgd, _updates.sgd, lr=factor * limit, steps=2000)[-1]
        assert (height(ends) < height(BEGINNING)) is falls


@pytest.mark.parametrize(
    ("name", "limit"), [("momentum", 2 * 1.9 / 100), ("nesterov", 2 * 1.9 / (2.8 * 100))]
)
def test_momentum_is_stable_up_to_the_rate_its_entry_gives(name, limit):
    entry = ENTRIES[name]
    for factor, falls in ((0.99, True), (1.01, False)):
        ends = descend(entry.start, entry.step, lr=factor * limit, steps=2000)[-1]
        assert (height(ends) < height(BEGINNING)) is falls


def test_under_a_steady_gradient_momentum_steps_ten_times_the_rate():
    steps = path("momentum", lambda *_: [1.0], [0.0], steps=200, lr=0.1)
    assert (steps[-2] - steps[-1]).item() == pytest.approx(0.1 / (1 - 0.9))


def test_adagrads_rate_dies_with_the_root_of_the_steps():
    steps = path("adagrad", lambda *_: [3.0], [0.0], steps=400, lr=0.1)
    assert (steps[-2] - steps[-1]).item() == pytest.approx(0.1 / math.sqrt(400), rel=1e-6)


@pytest.mark.parametrize("size", [0.1, 1.0, 1e4])
def test_adadelta_begins_at_the_root_of_epsilon(size):
    first = path("adadelta", lambda *_: [size], [0.0], steps=1)
    assert -first.item() == pytest.approx(math.sqrt(1e-6 / 0.1), rel=1e-3)


def test_rmsprop_begins_with_ten_times_the_rate_and_adds_epsilon_after_the_root():
    first = path("rmsprop", lambda *_: [5.0], [0.0], steps=1, lr=0.01)
    assert -first.item() == pytest.approx(10 * 0.01)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.RMSprop([weight], lr=1.0, alpha=0.0, eps=3.0)
    weight.grad = torch.ones(1)
    optimizer.step()
    assert -weight.item() == pytest.approx(1 / (1 + 3))  # 1/√(1 + 3) were it inside


def test_adam_begins_with_the_rate_whatever_the_gradient():
    first = path("adam", lambda *_: [1e-4, -300.0], [0.0, 0.0], steps=1, lr=0.01)
    torch.testing.assert_close(first, torch.tensor([[-0.01, 0.01]]), rtol=1e-3, atol=0)


def test_after_a_calm_adam_steps_about_three_times_the_rate():
    calm = path("adam", lambda _, step: [float(step == 8000)], [0.0], steps=8001, lr=0.01)
    assert abs(calm[-1] - calm[-2]).item() == pytest.approx(0.01 * 0.1 / math.sqrt(1e-3), rel=1e-3)


def test_adamax_steps_never_exceed_the_rate():
    chance = torch.Generator().manual_seed(4)
    noise = (torch.randn(500, generator=chance) ** 3).tolist()
    steps = path("adamax", lambda _, step: [noise[step]], [0.0], steps=500, lr=0.01)
    assert steps.flatten().diff().abs().max() < 0.0101


def test_radam_is_momentum_for_five_steps():
    factors = [_updates.rectified(step, 0.999) for step in range(1, 8)]
    assert factors[:5] == [0.0] * 5
    assert factors[5] == pytest.approx(0.026, abs=1e-3)
    assert _updates.rectified(20_000, 0.999) == pytest.approx(1, abs=1e-3)
    steps = path("radam", lambda *_: [1000.0], [0.0], steps=6, lr=1e-3)
    sizes = steps.flatten().diff().abs()
    torch.testing.assert_close(sizes[:4], torch.ones(4))
    assert sizes[4] < 1e-3


def test_nadams_momentum_begins_at_half():
    state = _updates.start_nadam(1)
    _updates.nadam([0.0], [1.0], state)
    assert state["product"] == pytest.approx(0.45, abs=1e-3)
    state.update(steps=49_999, product=1.0)
    _updates.nadam([0.0], [1.0], state)
    assert state["product"] == pytest.approx(0.9, abs=1e-3)


def test_rprop_moves_where_the_mean_gradient_is_zero():
    """Nine gradients of +0.1 to one of -0.9: SGD comes back to where it was."""
    signs = [0.1] * 9 + [-0.9]
    there = {
        name: path(name, lambda _, step: [signs[step % 10]], [0.0], steps=100, lr=0.01)[-1].item()
        for name in ("sgd", "rprop")
    }
    assert abs(there["sgd"]) < 1e-12
    assert there["rprop"] < -0.05


@pytest.mark.parametrize(("name", "rate"), [("rprop", 0.1), ("lbfgs", 1.0)])
def test_noise_costs_what_needs_exact_gradients_more_than_gradient_descent(name, rate):
    entry = ENTRIES[name]
    more = {"closure": True, "max_iter": 1} if name == "lbfgs" else {}

    def loss(start, step, noise, **asked):
        late = descend(start, step, noise=noise, steps=1000, **asked)[500:]
        return sum(map(height, late)) / len(late)

    plain = {"start": _updates.start_sgd, "step": _updates.sgd, "lr": 0.004}
    ours = {"start": entry.start, "step": entry.step, "lr": rate, **more}
    assert loss(noise=0.0, **ours) < loss(noise=0.0, **plain)
    assert loss(noise=_optimizer.NOISE, **ours) > loss(noise=_optimizer.NOISE, **plain)


def test_l2_hardly_decays_weights_with_large_gradients_under_adam():
    """Two weights of 1, gradients that alternate: ±10 and ±0.1."""
    ends = {}
    for name in ("adam", "adamw"):
        steps = path(
            name, lambda _, step: [10.0 * (-1) ** step, 0.1 * (-1) ** step], [1.0, 1.0],
            steps=2000, lr=1e-3, weight_decay=0.1,
        )  # fmt: skip
        ends[name] = 1 - steps[-1]
    assert ends["adam"][1] > 10 * ends["adam"][0]
    torch.testing.assert_close(ends["adamw"][0], ends["adamw"][1], rtol=0.05, atol=0)


def test_pytorch_refuses_nesterov_without_momentum():
    with pytest.raises(ValueError, match="Nesterov"):
        torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=0.1, nesterov=True)


def test_pytorchs_name_for_sgd_means_sgd():
    """The first entry of a PyTorch name is the one that it finds."""
    assert next(e.name for e in ENTRIES.values() if e.torch == "torch.optim.SGD") == "sgd"


@pytest.mark.parametrize("name", ENTRIES)
def test_the_pictures_show_a_descent(name):
    _, second, *_ = ENTRIES[name].draw()
    loss = second.curves[0]
    assert loss.y[-1] < loss.y[0]


def test_the_rows_tell_state_rates_and_invariance():
    rows = {name.en: value for name, value in ENTRIES["adam"].details()}
    assert rows["floats of state per weight"].en == "2"
    assert "β" not in rows["defaults"].en
    assert rows["invariant to"].zh.startswith("梯度的整体缩放、")
    assert dict(ENTRIES["radam"].details())[("invariant to", "不变性")].zh == "无"
