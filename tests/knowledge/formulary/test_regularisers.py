"""The regularisers' rules against PyTorch's, and what the entries say of them."""

from __future__ import annotations

import inspect
import math
import random

import pytest
import torch
from torch import nn

from gradoctor.knowledge.formulary import _regulariser, _updates, entries

ENTRIES = {entry.name: entry for entry in entries("regularisers")}
F = torch.nn.functional


def tensor(values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.fixture
def numbers():
    chance = random.Random(0)
    return [chance.gauss(0, 2) for _ in range(20)]


def stepped(cls, weights, gradients, **more):
    parameter = nn.Parameter(tensor(weights))
    parameter.grad = tensor(gradients)
    cls([parameter], **more).step()
    return parameter.detach()


# Decay


def test_l2_is_sgds_weight_decay_and_the_gradient_of_a_penalty(numbers):
    gradients = numbers[::-1]
    found = ENTRIES["l2"].apply(numbers, gradients, 0.3)
    theirs = stepped(torch.optim.SGD, numbers, gradients, lr=1.0, weight_decay=0.3)
    torch.testing.assert_close(tensor(numbers) - tensor(found), theirs, rtol=0, atol=1e-12)
    weights = tensor(numbers).requires_grad_()
    (weights @ tensor(gradients) + 0.3 / 2 * weights.square().sum()).backward()
    torch.testing.assert_close(weights.grad, tensor(found))


@pytest.mark.parametrize("name", ["AdamW", "Muon"])
def test_decoupled_decay_is_what_pytorch_does_apart_from_the_step(name, numbers):
    if not hasattr(torch.optim, name):
        pytest.skip(f"this torch has no {name}")
    rows = [numbers[:10], numbers[10:]]
    still = [[0.0] * 10] * 2
    theirs = stepped(getattr(torch.optim, name), rows, still, lr=0.1, weight_decay=0.3)
    found = ENTRIES["decoupled_decay"].apply(numbers, 0.1, 0.3)
    torch.testing.assert_close(theirs.flatten(), tensor(found), rtol=0, atol=1e-12)


def test_under_plain_sgd_the_two_decays_are_one(numbers):
    gradients, state = numbers[::-1], _updates.start_sgd(20)
    coupled = _updates.sgd(numbers, gradients, state, lr=0.1, weight_decay=0.3)
    smaller = ENTRIES["decoupled_decay"].apply(numbers, 0.1, 0.3)
    apart = _updates.sgd(smaller, gradients, _updates.start_sgd(20), lr=0.1)
    assert coupled == pytest.approx(apart, abs=1e-12)


def test_under_adam_they_are_not():
    """Gradients of ±10 and ±0.1, the same decay asked for."""
    curves = {c.label.en: c.y for c in _regulariser.decay_under_adam().curves}
    lost = {name: 1 - y[-1] for name, y in curves.items()}
    assert lost["Adam + L2, gradients ±0.1"] > 20 * lost["Adam + L2, gradients ±10"]
    for size in ("±10", "±0.1"):
        assert lost[f"AdamW, gradients {size}"] == pytest.approx(1 - (1 - 1e-4) ** 999, rel=0.05)


def test_decay_alone_is_geometric():
    for curve, decay in zip(_regulariser.decay_alone().curves, (0.1, 0.01, 0.001), strict=True):
        assert curve.y[-1] == pytest.approx((1 - 0.1 * decay) ** 299)


# Dropout


def test_dropout_is_pytorchs_under_its_mask(numbers):
    torch.manual_seed(0)
    values = tensor(numbers)
    out = nn.Dropout(0.3)(values)
    kept = (out != 0).tolist()
    assert 0 < sum(kept) < 20
    torch.testing.assert_close(tensor(ENTRIES["dropout"].apply(numbers, kept, p=0.3)), out)


def test_dropout_keeps_the_mean_and_raises_the_variance():
    torch.manual_seed(0)
    values = torch.randn(200_000)
    out = nn.Dropout(0.5)(values + 1)
    assert out.mean().item() == pytest.approx(1, abs=0.02)
    ratio = (nn.Dropout(0.5)(values).var() / values.var()).item()
    assert ratio == pytest.approx(1 / (1 - 0.5), rel=0.02)
    assert nn.Dropout(0.5).eval()(values) is values


def test_batch_norm_after_dropout_has_half_the_variance_in_evaluation():
    torch.manual_seed(0)
    stack = nn.Sequential(nn.Dropout(0.5), nn.BatchNorm1d(4, momentum=None))
    batches = torch.randn(50, 1000, 4)
    for batch in batches:
        trained = stack(batch)
    assert trained.var().item() == pytest.approx(1, rel=0.02)
    assert stack.eval()(batches[0]).var().item() == pytest.approx(0.5, rel=0.05)


def test_dropout_makes_the_training_loss_higher_and_rougher():
    plot = _regulariser.dropped_losses()[0]
    without, _, half = (curve.y for curve in plot.curves)
    assert without[-1] < 1e-2 < half[-1]
    assert min(half[75:]) * 1.5 < max(half[75:])


def test_functional_dropout_is_on_unless_told():
    assert inspect.signature(F.dropout).parameters["training"].default is True


def test_dropout_of_everything_is_zero_in_value_and_gradient():
    values = torch.randn(5).requires_grad_()
    out = nn.Dropout(1.0)(values)
    out.sum().backward()
    assert not out.any()
    assert not values.grad.any()


# Label smoothing


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_smoothed_loss_and_gradient_are_pytorchs(share, numbers):
    logits = tensor(numbers[:10]).requires_grad_()
    loss = F.cross_entropy(logits[None], torch.tensor([3]), label_smoothing=share)
    loss.backward()
    found = _regulariser.smoothed_loss(numbers[:10], 3, label_smoothing=share)
    assert found == pytest.approx(loss.item(), abs=1e-12)
    target = tensor(ENTRIES["label_smoothing"].apply(3, 10, label_smoothing=share))
    assert target.sum().item() == pytest.approx(1)
    torch.testing.assert_close(logits.grad, logits.detach().softmax(0) - target)


def test_the_smoothed_loss_is_least_at_a_finite_margin():
    margin = _regulariser.best_margin(10, 0.1)
    assert margin == pytest.approx(4.5, abs=0.02)

    def loss(m):
        return _regulariser.smoothed_loss([m, *[0.0] * 9], 0, label_smoothing=0.1)

    assert loss(margin) < min(loss(margin - 0.1), loss(margin + 0.1))
    target = _regulariser.smoothed(0, 10, label_smoothing=0.1)
    assert loss(margin) == pytest.approx(-sum(q * math.log(q) for q in target))
    assert loss(margin) == pytest.approx(0.50, abs=5e-3)


# Clipping


def clipped(function, gradients, *more, **named):
    parameters = [nn.Parameter(torch.zeros(1, dtype=torch.float64)) for _ in gradients]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = tensor([gradient])
    function(parameters, *more, **named)
    return torch.cat([p.grad for p in parameters])


BAD = [
    [math.inf, 1.0, 2.0],
    [math.nan, 1.0, 2.0],
    [-math.inf, math.nan, 0.0],
]


@pytest.mark.parametrize("limit", [0.1, 1.0, 100.0])
def test_clipping_is_pytorchs(limit, numbers):
    ours = ENTRIES["clip_by_norm"].apply(numbers, max_norm=limit)
    theirs = clipped(nn.utils.clip_grad_norm_, numbers, limit)
    torch.testing.assert_close(tensor(ours), theirs, rtol=0, atol=1e-12)
    ours = ENTRIES["clip_by_value"].apply(numbers, clip_value=limit)
    theirs = clipped(nn.utils.clip_grad_value_, numbers, limit)
    torch.testing.assert_close(tensor(ours), theirs, rtol=0, atol=0)


@pytest.mark.parametrize("gradients", BAD)
def test_and_as_helpless_against_what_is_not_finite(gradients):
    ours = tensor(ENTRIES["clip_by_norm"].apply(gradients, max_norm=1.0))
    theirs = clipped(nn.utils.clip_grad_norm_, gradients, 1.0)
    torch.testing.assert_close(ours, theirs, equal_nan=True)
    assert ours.isnan().any()
    ours = tensor(ENTRIES["clip_by_value"].apply(gradients, clip_value=1.0))
    theirs = clipped(nn.utils.clip_grad_value_, gradients, 1.0)
    torch.testing.assert_close(ours, theirs, equal_nan=True)


def test_one_inf_becomes_nan_and_the_rest_zero():
    found = ENTRIES["clip_by_norm"].apply([math.inf, 1.0, 2.0], max_norm=1.0)
    assert math.isnan(found[0])
    assert found[1:] == [0.0, 0.0]
    with pytest.raises(RuntimeError, match="non-finite"):
        clipped(nn.utils.clip_grad_norm_, [math.inf], 1.0, error_if_nonfinite=True)


def test_clipping_by_norm_keeps_proportions_and_by_value_does_not():
    by_norm = ENTRIES["clip_by_norm"].apply([100.0, 1.0], max_norm=1.0)
    assert by_norm[0] / by_norm[1] == pytest.approx(100)
    assert math.hypot(*by_norm) == pytest.approx(1, abs=1e-6)
    assert ENTRIES["clip_by_value"].apply([100.0, -50.0], clip_value=1.0) == [1.0, -1.0]


def test_a_steady_factor_changes_nothing_under_adam():
    """Gradients of one length each, clipped to a hundredth of it."""
    ends = []
    for limit in (math.inf, 0.01):
        weights, state = [0.0, 0.0], _updates.start_adam(2)
        for step in range(50):
            gradients = [math.sin(step), math.cos(step)]
            gradients = ENTRIES["clip_by_norm"].apply(gradients, max_norm=limit)
            weights = _updates.adam(weights, gradients, state)
        ends.append(weights)
    assert ends[0] == pytest.approx(ends[1], rel=1e-4)


def test_the_pictures_show_the_cap_and_the_turn():
    for curve, most in zip(_regulariser.clipped_norms().curves, (0.1, 1.0, 10.0), strict=True):
        assert max(curve.y) == pytest.approx(most, rel=1e-4)
    by_value, by_norm = _regulariser.turned().curves
    assert by_value.y[-1] == pytest.approx(45 - math.degrees(math.atan(0.1)))
    assert max(map(abs, by_norm.y)) < 1e-9


@pytest.mark.parametrize("name", ["dropout", "label_smoothing", "clip_by_norm", "clip_by_value"])
def test_settings_are_parameters_of_pytorchs(name):
    module, _, attribute = ENTRIES[name].torch.rpartition(".")
    theirs = getattr(nn.utils if module.endswith("utils") else nn, attribute)
    assert set(ENTRIES[name].settings) <= set(inspect.signature(theirs).parameters)


def test_the_rows_tell_what_it_acts_on():
    rows = {name.en: value for name, value in ENTRIES["dropout"].details()}
    assert rows["acts on"].zh == "激活值"
    assert "p" in rows
