"""The experiments on losses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from trials import check, numbers, run

pytest.importorskip("sklearn")

from gradoctor.experiments import losses_backward as backward
from gradoctor.experiments.losses_shape import crossed, eigenvalues, rmse


@pytest.mark.parametrize("number", numbers("losses", ()))
def test_the_verdict_is_the_expected_one(number):
    check(number)


def test_cross_entropy_of_a_fair_coin():
    half = torch.tensor([0.5, 0.5])
    assert float(crossed(half, half)) == pytest.approx(math.log(2))


def test_eigenvalues_of_a_quadratic():
    scale = torch.tensor([3.0, -1.0])
    found = eigenvalues(lambda x: (scale * x**2).sum() / 2, torch.zeros(2))
    assert found.tolist() == pytest.approx([-1.0, 3.0])


def test_the_root_of_no_error_has_no_gradient():
    out = torch.ones(3, requires_grad=True)
    (found,) = torch.autograd.grad(rmse(out, torch.ones(3)), out)
    assert found.isnan().all()


def test_gradients_by_hand_agree_with_differences():
    chance = np.random.default_rng(0)
    net = backward.ByHand(*(chance.normal(size=s) for s in [(4, 3), (4,), (2, 4), (2,)]))
    x, y = chance.normal(size=(5, 3)), np.array([0, 1, 1, 0, 1])
    net.loss(x, y)
    told = net.gradients()[0]
    step = 1e-6
    net.w1[2, 1] += step
    up = net.loss(x, y)
    net.w1[2, 1] -= 2 * step
    down = net.loss(x, y)
    assert (up - down) / (2 * step) == pytest.approx(told[2, 1], abs=1e-8)


def test_by_hand_as_by_autograd():
    assert run(66).figures["by_hand.error"].middle < 1e-12
    assert run(51).figures["apart"].middle < 1e-9


def test_the_printed_step_needs_equal_shapes():
    assert run(51).figures["refused"].middle == 1
