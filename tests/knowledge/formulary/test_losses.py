"""Losses against PyTorch in double precision, their baselines against brute force."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from gradoctor.knowledge.formulary._loss_values import huber, huber_gradients
from gradoctor.knowledge.formulary.losses import ENTRIES
from gradoctor.nn import RMSELoss

LOSS = {e.name: e for e in ENTRIES}
TORCH = {
    "mse": F.mse_loss,
    "rmse": lambda o, t: F.mse_loss(o, t).sqrt(),
    "mae": F.l1_loss,
    "huber": F.huber_loss,
    "cross_entropy": F.cross_entropy,
    "nll": F.nll_loss,
    "bce": F.binary_cross_entropy,
    "bce_with_logits": F.binary_cross_entropy_with_logits,
    "kl_div": lambda o, t: F.kl_div(o, t, reduction="batchmean"),
    "hinge": lambda o, t: (1 - t * o).clamp(min=0).mean(),
}
RESIDUAL = ("mse", "rmse", "mae", "huber")
CLASSES = 4
every = pytest.mark.parametrize("name", LOSS)

real = st.floats(-1e4, 1e4)
coarse = real.map(lambda v: round(v, 9))  # squares of less than 1e-162 are 0
share = st.floats(0, 1)
sign = st.sampled_from([-1.0, 1.0])


def rows(cells):
    return st.lists(cells, min_size=CLASSES, max_size=CLASSES)


def log_probabilities(row):
    return torch.tensor(row, dtype=torch.float64).log_softmax(-1).tolist()


def probabilities(row):
    return torch.tensor(row, dtype=torch.float64).softmax(-1).tolist()


logits = rows(st.floats(-300, 300))
label = st.integers(0, CLASSES - 1)
PAIRS = {
    **dict.fromkeys(RESIDUAL, st.tuples(real, real)),
    "rmse": st.tuples(coarse, coarse),
    "cross_entropy": st.tuples(rows(real), label),
    "nll": st.tuples(logits.map(log_probabilities), label),
    "bce": st.tuples(share, share),
    "bce_with_logits": st.tuples(real, share),
    "kl_div": st.tuples(logits.map(log_probabilities), logits.map(probabilities)),
    "hinge": st.tuples(real, sign),
}


def by_autograd(name, outputs, targets):
    o = torch.tensor(outputs, dtype=torch.float64, requires_grad=True)
    kind = torch.long if name in ("cross_entropy", "nll") else torch.float64
    value = TORCH[name](o, torch.tensor(targets, dtype=kind))
    (gradients,) = torch.autograd.grad(value, o)
    return value.item(), gradients.numpy()


def agree(name, outputs, targets):
    value, gradients = by_autograd(name, outputs, targets)
    assert LOSS[name].value(outputs, targets) == pytest.approx(value, rel=1e-12, abs=1e-12)
    near = 1e-8 if name == "bce" else 1e-10  # PyTorch keeps the 1e-12 in single precision
    ours = LOSS[name].gradients(outputs, targets)
    np.testing.assert_allclose(ours, gradients, rtol=near, atol=1e-12)


def test_every_loss_has_a_counterpart():
    assert TORCH.keys() == LOSS.keys() == PAIRS.keys()


@every
@given(data=st.data())
def test_value_and_gradient_are_those_of_pytorch(name, data):
    pairs = data.draw(st.lists(PAIRS[name], min_size=1, max_size=6))
    agree(name, *map(list, zip(*pairs, strict=True)))


def test_at_kinks_and_ends():
    for name in RESIDUAL[2:]:
        agree(name, [0.0, 1.0, -1.0, 3.0], [0.0, 0.0, 0.0, 3.0])
    agree("hinge", [1.0, -1.0, 1.0, 0.0, 2.0], [1.0, -1.0, -1.0, 1.0, 1.0])
    agree("bce", [0.0, 1.0, 0.0, 1.0, 1e-30], [1.0, 0.0, 0.0, 1.0, 1.0])
    agree("bce_with_logits", [1e4, -1e4, 0.0], [0.0, 1.0, 0.5])
    agree("cross_entropy", [[1e4, -1e4], [-1e4, 1e4]], [1, 1])
    agree("kl_div", [log_probabilities([0.0, 3.0])], [[0.0, 1.0]])


@every
def test_nan_propagates(name):
    good, bad = {
        "cross_entropy": ([0.0, 1.0], [math.nan, 1.0]),
        "nll": ([-1.0, -1.0], [math.nan, -1.0]),
        "kl_div": ([-1.0, -1.0], [math.nan, -1.0]),
    }.get(name, (0.5, math.nan))
    target = {"kl_div": [0.5, 0.5], "cross_entropy": 0, "nll": 0}.get(name, 1.0)
    assert math.isnan(LOSS[name].value([good, bad], [target, target]))


def test_the_root_has_no_gradient_at_zero_and_ours_has():
    assert all(map(math.isnan, LOSS["rmse"].gradients([1.0, 2.0], [1.0, 2.0])))
    _, gradients = by_autograd("rmse", [1.0, 2.0], [1.0, 2.0])
    assert np.isnan(gradients).all()
    o = torch.tensor([1.0, 2.0], requires_grad=True)
    RMSELoss()(o, o.detach().clone()).backward()
    assert (o.grad == 0).all()


@every
@given(data=st.data())
def test_it_is_convex_in_the_outputs(name, data):
    first = data.draw(st.lists(PAIRS[name], min_size=2, max_size=4))
    second = data.draw(st.lists(PAIRS[name], min_size=len(first), max_size=len(first)))
    t = data.draw(share)
    targets = [target for _, target in first]
    a, b = ([o for o, _ in pairs] for pairs in (first, second))
    if name == "bce":  # the clamp at -100 is not convex, the loss inside it is
        a, b = ([min(max(p, 1e-40), 1 - 1e-16) for p in side] for side in (a, b))
    between = (t * np.array(a) + (1 - t) * np.array(b)).tolist()
    loss = LOSS[name].value
    bound = t * loss(a, targets) + (1 - t) * loss(b, targets)
    assert LOSS[name].convex
    assert loss(between, targets) <= bound + 1e-9 * (1 + abs(bound))


# ---- what a constant predictor reaches ----------------------------------------------------------
def test_baselines_in_closed_form():
    rng = np.random.default_rng(0)
    t = rng.normal(2, 3, 501)
    assert LOSS["mse"].baseline(t.tolist()) == pytest.approx(t.var(), rel=1e-12)
    assert LOSS["rmse"].baseline(t.tolist()) == pytest.approx(t.std(), rel=1e-12)
    deviation = np.abs(t - np.median(t)).mean()
    assert LOSS["mae"].baseline(t.tolist()) == pytest.approx(deviation, rel=1e-12)
    labels = rng.choice(4, 300, p=[0.5, 0.0, 0.3, 0.2])
    shares = np.bincount(labels) / 300
    entropy = -sum(p * math.log(p) for p in shares if p)
    for name in ("cross_entropy", "nll"):
        assert LOSS[name].baseline(labels.tolist()) == pytest.approx(entropy, rel=1e-12)
    yes = (rng.random(200) < 0.1).astype(float)
    p = yes.mean()
    entropy = -p * math.log(p) - (1 - p) * math.log(1 - p)
    for name in ("bce", "bce_with_logits"):
        assert LOSS[name].baseline(yes.tolist()) == pytest.approx(entropy, rel=1e-12)
    assert LOSS["hinge"].baseline((2 * yes - 1).tolist()) == pytest.approx(2 * p, rel=1e-12)


def test_figures_that_the_texts_name():
    assert LOSS["cross_entropy"].baseline([*range(10)]) == pytest.approx(2.303, abs=5e-4)
    for name in ("bce", "bce_with_logits"):
        assert LOSS[name].baseline([0.0, 1.0]) == pytest.approx(0.693, abs=5e-4)
        assert LOSS[name].baseline([1.0] + [0.0] * 9) == pytest.approx(0.325, abs=5e-4)
    z = torch.special.ndtri((torch.arange(20000) + 0.5) / 20000).tolist()
    assert LOSS["mae"].baseline(z) == pytest.approx(0.798, abs=1e-3)
    doubled = LOSS["cross_entropy"].value([[1.0] + [0.0] * 9], [0])
    assert doubled == pytest.approx(1.46, abs=2e-3)
    double = [LOSS["bce_with_logits"].value([p], [t]) for p, t in ((1.0, 1.0), (0.0, 0.0))]
    assert double == pytest.approx([0.313, 0.693], abs=5e-4)


scale = st.floats(-50, 50)
TARGETS = {
    **dict.fromkeys(RESIDUAL, scale),
    "bce": st.sampled_from([0.0, 1.0]),
    "bce_with_logits": st.sampled_from([0.0, 1.0]),
    "hinge": sign,
}


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.data())
def test_no_constant_is_better(name, data):
    targets = data.draw(st.lists(TARGETS[name], min_size=1, max_size=8))
    low, high = {"bce": (0.0, 1.0)}.get(name, (-50.0, 50.0))
    tried = [*np.linspace(low, high, 401), *targets]
    reached = [LOSS[name].value([c] * len(targets), targets) for c in tried]
    baseline = LOSS[name].baseline(targets)
    assert baseline <= min(reached) + 1e-9 * (1 + baseline)


@pytest.mark.parametrize("name", ["cross_entropy", "nll", "kl_div"])
@given(data=st.data())
def test_no_constant_distribution_is_better(name, data):
    if name == "kl_div":
        targets = data.draw(st.lists(logits.map(probabilities), min_size=1, max_size=5))
    else:
        targets = [*data.draw(st.lists(label, min_size=1, max_size=8)), CLASSES - 1]
    baseline = LOSS[name].baseline(targets)
    assert math.isfinite(baseline)
    rng = np.random.default_rng(0)
    for drawn in rng.normal(0, 3, (60, CLASSES)).tolist():
        row = drawn if name == "cross_entropy" else log_probabilities(drawn)
        reached = LOSS[name].value([row] * len(targets), targets)
        assert baseline <= reached + 1e-9


# ---- what the entries say of PyTorch ------------------------------------------------------------
def test_smooth_l1_is_huber_over_delta():
    o, t = torch.linspace(-5, 5, 21, dtype=torch.float64), torch.zeros(21, dtype=torch.float64)
    for delta in (0.5, 1.0, 2.0):
        ours = huber(o.tolist(), t.tolist(), delta)
        assert ours == pytest.approx(F.huber_loss(o, t, delta=delta).item(), rel=1e-12)
        assert ours == pytest.approx(delta * F.smooth_l1_loss(o, t, beta=delta).item(), rel=1e-12)
        assert max(huber_gradients(o.tolist(), t.tolist(), delta)) == delta / 21


def test_pytorchs_relatives_of_the_hinge():
    torch.manual_seed(0)
    score = torch.randn(50, dtype=torch.float64) * 2
    target = torch.randn(50, dtype=torch.float64).sign()
    ours = LOSS["hinge"].value(score.tolist(), target.tolist())
    ranking = nn.MarginRankingLoss(margin=1.0)(score, torch.zeros_like(score), target)
    assert ours == pytest.approx(ranking.item(), rel=1e-12)
    two = torch.stack([torch.zeros_like(score), score], 1)
    assert ours == pytest.approx(2 * nn.MultiMarginLoss()(two, (target > 0).long()).item())
    assert ours != pytest.approx(nn.HingeEmbeddingLoss()(score, target).item(), rel=0.1)


def test_a_sure_mistake_behind_a_sigmoid_gets_no_gradient():
    for loss in (F.binary_cross_entropy, F.mse_loss):
        x = torch.tensor([17.0], requires_grad=True)
        loss(torch.sigmoid(x), torch.zeros(1)).backward()
        assert x.grad.item() == 0
    x = torch.tensor([17.0], requires_grad=True)
    F.binary_cross_entropy_with_logits(x, torch.zeros(1)).backward()
    assert x.grad.item() == 1
    x = torch.tensor([-10.0], requires_grad=True)
    F.mse_loss(torch.sigmoid(x), torch.ones(1)).backward()
    assert x.grad.item() == pytest.approx(-9.1e-5, rel=0.01)


def test_class_weights_divide_by_their_sum_and_ignoring_all_is_nan():
    torch.manual_seed(0)
    o, t, w = torch.randn(4, 2), torch.tensor([0, 0, 0, 1]), torch.tensor([1.0, 10.0])
    each = F.cross_entropy(o, t, weight=w, reduction="none")
    assert torch.isclose(F.cross_entropy(o, t, weight=w), each.sum() / w[t].sum())
    assert not torch.isclose(F.cross_entropy(o, t, weight=w), each.mean())
    assert F.cross_entropy(o, torch.full((4,), -100)).isnan()


def test_the_length_of_the_roots_gradient_does_not_depend_on_the_fit():
    for scale in (1e-6, 1.0, 1e6):
        g = LOSS["rmse"].gradients([scale, -2 * scale, 3 * scale], [0.0, 0.0, 0.0])
        assert np.linalg.norm(g) == pytest.approx(3**-0.5)


def test_a_column_against_a_row_broadcasts():
    with pytest.warns(UserWarning, match="broadcasting"):
        loss = F.mse_loss(torch.zeros(2, 1), torch.tensor([1.0, -1.0]))
    assert loss == 1
    with pytest.raises(ValueError, match="must be the same"):
        F.binary_cross_entropy_with_logits(torch.zeros(2, 1), torch.zeros(2))
