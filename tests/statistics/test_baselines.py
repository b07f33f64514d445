"""The loss of the best constant predictor, against torch's own losses over a search."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tensors import BAD, EMPTY, NAN, made, untouched
from torch.nn import functional

from gradoctor.statistics import Baseline

TWENTY = settings(max_examples=20, deadline=None)


def of(function: str, targets: list[torch.Tensor], classes: int | None = None, **options) -> float:
    baseline = Baseline(function, **options)
    for target in targets:
        with untouched(target):
            baseline.add(target, classes)
    return float(baseline.value())


def best(loss, start: torch.Tensor) -> float:
    """The least loss that gradient descent finds from a start."""
    guess = start.clone().double().requires_grad_()
    search = torch.optim.LBFGS([guess], max_iter=300, line_search_fn="strong_wolfe")

    def closure():
        search.zero_grad()
        value = loss(guess)
        value.backward()
        return value

    search.step(closure)
    return float(loss(guess).detach())


@given(st.lists(st.integers(0, 4), min_size=3, max_size=40), st.sampled_from([0.0, 0.1]))
@TWENTY
def test_classes(labels, smoothing):
    labels = [0, 1, 2, *labels]
    target = torch.tensor(labels)
    got = of("cross_entropy", [target[:2], target[2:]], 5, label_smoothing=smoothing)
    wanted = best(
        lambda z: functional.cross_entropy(
            z.expand(len(labels), 5), target, label_smoothing=smoothing
        ),
        torch.zeros(5),
    )
    assert got == pytest.approx(wanted, rel=1e-3, abs=1e-3)


def test_weighted_classes_and_ignored_labels():
    target = torch.tensor([0, 0, 1, 2, -100, 2, 2])
    weight = torch.tensor([1.0, 5.0, 0.5])
    got = of("cross_entropy", [target], 3, weight=weight, ignore_index=-100)
    wanted = best(
        lambda z: functional.cross_entropy(z.expand(7, 3), target, weight=weight.double()),
        torch.zeros(3),
    )
    assert got == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("shape", [(9, 4), (5, 4, 3), (4,)])
def test_targets_that_are_shares_of_classes(shape):
    dim = min(1, len(shape) - 1)
    target = made(shape, 0, 2).softmax(dim)
    rows = target.movedim(dim, -1).reshape(-1, 4).double()
    wanted = best(lambda z: -(rows * z.log_softmax(0)).sum(1).mean(), torch.zeros(4))
    assert of("cross_entropy", [target], 4) == pytest.approx(wanted, rel=1e-3)


@pytest.mark.parametrize("shape", [(40,), (40, 3)])
def test_binary(shape):
    target = (made(shape, 0) > 0.4).float()
    got = of("binary_cross_entropy_with_logits", [target[:7], target[7:]])
    wanted = best(
        lambda z: functional.binary_cross_entropy_with_logits(z.expand(shape), target.double()),
        torch.zeros(shape[1:]),
    )
    assert got == pytest.approx(wanted, rel=1e-3)
    assert of("binary_cross_entropy", [torch.ones(5)]) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize(
    ("function", "options"),
    [
        ("mse_loss", {}),
        ("l1_loss", {}),
        ("smooth_l1_loss", {"beta": 0.5}),
        ("huber_loss", {"delta": 2.0}),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_regression(function, options, scale):
    target = torch.exp(made((300, 2), 1)) * scale
    got = of(function, [target[:100], target[100:]], **options)
    loss = getattr(functional, function)
    grid = np.linspace(0, float(target.max()), 4001)
    wanted = np.mean(
        [
            min(float(loss(torch.full((300,), g), target[:, i], **options)) for g in grid[::4])
            for i in range(2)
        ]
    )
    assert got == pytest.approx(wanted, rel=2e-2)


@pytest.mark.parametrize("scale", [1e-15, 1e15])
def test_regression_of_any_size(scale):
    target = made((50, 2), 0) * scale
    assert of("mse_loss", [target]) == pytest.approx(float(target.double().var(0, False).mean()))


def test_targets_whose_length_varies_are_judged_by_one_constant():
    given = [made((4, 3), 0), made((4, 5), 1), made((4, 5), 2)]
    late = torch.cat([g.reshape(-1) for g in given[1:]])
    assert of("mse_loss", given) == pytest.approx(float(late.var(unbiased=False)), rel=1e-5)
    binary = [(g > 0).float() for g in given]
    share = float(torch.cat([b.reshape(-1) for b in binary[1:]]).mean())
    wanted = -(share * math.log(share) + (1 - share) * math.log(1 - share))
    assert of("binary_cross_entropy", binary) == pytest.approx(wanted, rel=1e-5)


def test_only_a_bounded_part_of_the_targets_is_kept():
    baseline = Baseline("mse_loss")
    for seed in range(30):
        baseline.add(made((1000, 2000), 0)[:, : 500 + seed * 0], None)
    held = sum(k.numel() for k in baseline._kept)
    assert held <= 8192 * 512


@pytest.mark.parametrize("function", ["mse_loss", "l1_loss", "huber_loss", "binary_cross_entropy"])
@pytest.mark.parametrize("name", [*BAD, *EMPTY])
def test_bad_targets_do_not_raise(function, name):
    of(function, [{**BAD, **EMPTY}[name]])
    assert math.isnan(of("mse_loss", [torch.full((9,), NAN)]))


def test_what_is_not_known_is_nan():
    assert math.isnan(of("kl_div", [made((4, 3), 0)]))
    assert math.isnan(of("mse_loss", []))
    assert math.isnan(of("mse_loss", [torch.ones(1)]))
    assert math.isnan(of("cross_entropy", [torch.empty(0, dtype=torch.long)], 4))
