"""The experiments on optimisation, and the parts of the dear ones."""

from __future__ import annotations

import math

import pytest
import torch
from trials import check, numbers, run

pytest.importorskip("sklearn")

from torch.optim import SGD, Rprop

from gradoctor.experiments import optimisation_batches as batches
from gradoctor.experiments import optimisation_signs as signs
from gradoctor.experiments._data import digits
from gradoctor.experiments.optimisation_rules import rates

DEAR = {26, 27, 28, 29}


@pytest.mark.parametrize("number", numbers("optimisation", DEAR))
def test_the_verdict_is_the_expected_one(number):
    check(number)


def test_the_root_comes_first():
    figures = run(67).figures
    assert figures["step"].middle == pytest.approx(1 / (math.sqrt(0.1) + 1))
    assert figures["root_first.Adadelta"].middle == 0
    assert figures["root_first.Adam"].middle == 1


def test_a_constant_factor_leaves_the_rate():
    seen = rates(lambda o: torch.optim.lr_scheduler.LambdaLR(o, lambda _: 1.0), lr=0.3, epochs=3)
    assert seen == [0.3, 0.3, 0.3]


def test_signs_carry_rprop_where_the_mean_is_zero():
    by_sign, by_size = signs.nine_to_one()
    # steps of 0.01·1.2ⁿ for nine batches; at the change of sign Rprop waits
    assert by_sign == pytest.approx(sum(0.01 * 1.2**n for n in range(9)))
    assert abs(by_size) < 1e-15


def test_small_batches_disagree():
    assert signs.opposed(4, 0, draws=50) > 0.25
    assert signs.opposed(1024, 0, draws=3) == 0


def test_rprop_needs_the_full_batch():
    assert signs.left_over(Rprop, 1024, 0, steps=200) < 1e-6
    assert signs.left_over(Rprop, 4, 0, steps=200) > 0.1


def test_the_least_loss_of_a_regression_has_no_excess():
    task = signs.Regression.drawn(0)
    assert task.excess(task.best) == 0
    everything = torch.arange(signs.EXAMPLES)
    assert float(task.gradient(task.best, everything).abs().max()) < 1e-10


def test_gradients_by_example_average_to_that_of_the_batch():
    data = digits()
    net = batches._net(0, steps=1)
    each = batches.gradients(net, data.x[:16], data.y[:16])
    whole = signs.gradient_of(net, data.x[:16], data.y[:16]).double()
    assert torch.allclose(each.mean(0), whole, atol=1e-6)


def test_the_noise_scale_of_a_known_cloud():
    chance = torch.Generator().manual_seed(0)
    mean = torch.tensor([3.0, 4.0], dtype=torch.float64)
    each = mean + 2 * torch.randn(20000, 2, generator=chance, dtype=torch.float64)
    assert batches.noise_scale(each) == pytest.approx(2 * 4 / 25, rel=0.05)


def test_the_variance_falls_with_the_batch():
    found = batches.variances(0, draws=100)
    slope = math.log(found[-1] / found[0]) / math.log(batches.SIZES[-1] / batches.SIZES[0])
    assert slope == pytest.approx(-1, abs=0.1)


def test_what_backward_holds_grows_with_the_batch():
    data = digits()
    net = batches._net(0, steps=1)
    small, large = (batches.saved_bytes(net, data.x[:n], data.y[:n]) for n in (8, 80))
    assert large == pytest.approx(10 * small, rel=0.01)
    told = 8 * (4 * (64 + 2 * 32 + 10) + 8)
    assert small == pytest.approx(told, rel=0.01), "inputs, two layers, logits, labels"


def test_a_tuned_rate_needs_fewer_steps():
    assert batches.steps_to(16, 0.4, 0) < batches.steps_to(16, 0.1, 0) / 2
    assert batches.steps_to(16, 1e-4, 0) == math.inf


def test_the_default_of_rprop_beats_gradient_descent():
    assert signs.full_batch(Rprop, 0.01, 0) < signs.full_batch(SGD, 0.1, 0)
