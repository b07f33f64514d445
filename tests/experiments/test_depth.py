"""The experiments on depth, and the parts of the dear ones."""

from __future__ import annotations

import math

import pytest
import torch
from trials import check, numbers, run

pytest.importorskip("sklearn")

from gradoctor.experiments import depth_chains as chains
from gradoctor.experiments import depth_cures as cures
from gradoctor.experiments._networks import HE, Stack, usual, xavier
from gradoctor.experiments.depth_alarms import PATIENTS, course
from gradoctor.experiments.depth_clipping import clipped
from gradoctor.experiments.depth_direction import watched_pass
from gradoctor.experiments.depth_memory import Memory, reach, recall
from gradoctor.experiments.depth_products import unexplained
from gradoctor.experiments.depth_residual import KINDS, kept, opposed

DEAR = {7, 10, 14, 15, 16, 18, 43}


@pytest.mark.parametrize("number", numbers("depth", DEAR))
def test_the_verdict_is_the_expected_one(number):
    check(number)


def test_a_fourth_to_the_twentieth():
    figures = run(3).figures
    assert figures["power"].middle == 2.0**-40
    assert figures["base"].middle == pytest.approx(0.2583, abs=1e-4)


def test_twenty_sigmoids_depend_on_the_scale_of_the_weights():
    figures = run(4).figures
    assert figures["ratio.gain_0.577"].high < 1e-15
    assert figures["ratio.gain_12"].low > 1e-2
    assert figures["norm.orthogonal"].high < 0.25**20


def test_what_no_affine_map_explains():
    x = torch.randn(500, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert unexplained(x, 2 * x + 1) < 1e-20
    assert unexplained(x, x**2) > 0.9


@pytest.mark.parametrize(("name", "gain", "bits"), [("relu", 2**0.5, 0.0), ("relu", 2.0, 0.5)])
def test_chi_of_relu_is_half_the_gain_squared(name, gain, bits):
    assert chains.chi_bits(name, gain) == pytest.approx(bits, abs=1e-6)
    assert chains.measured_bits(name, gain).middle == pytest.approx(bits, abs=0.05)


def test_hooks_fire_backwards():
    seen = watched_pass(0)
    assert seen.forward == tuple(range(1, 21))
    assert seen.backward == tuple(range(20, 0, -1))
    assert seen.early == 0


def test_initialisation_decides_what_relu_does():
    assert abs(cures.bits("relu", HE).middle) < 0.1
    assert cures.bits("relu", usual).high < -1
    assert cures.bits("sigmoid", xavier).high < -2


def test_batch_norm_with_relu_grows_as_theory_has_it():
    normed = cures.bits("relu", HE, norm=torch.nn.BatchNorm1d)
    assert pytest.approx(0.276, abs=1e-3) == cures.WIDE_BN_RELU
    assert normed.middle == pytest.approx(cures.WIDE_BN_RELU, abs=0.05)


def test_residual_stacks_keep_or_blow_up():
    assert kept(KINDS["sigmoid"], 20).low > 0.5
    assert kept(KINDS["plain"], 20).high < 1e-9
    growth = math.log2(kept(KINDS["relu"], 20).middle) / 19
    assert growth == pytest.approx(0.5, abs=0.1)
    assert kept(KINDS["small"], 20).high < 3
    assert opposed(3) == 0


def test_open_gates_remember():
    assert recall("open", 10, 0).accuracy == 1
    assert recall("open", 10, 0).steps < 200
    shut, opened = reach("lstm", 0), reach("open", 0)
    assert shut[50] < 1e-6 < 1e-2 < opened[50]


def test_gates_are_opened_where_pytorch_has_them():
    net = Memory("open", 100, 0)
    biases = net.layer.bias_ih_l0.detach().view(4, -1)
    assert (biases[1] > 0).all()
    assert torch.equal(biases[0], -biases[1])
    assert biases[1].max() <= math.log(100)


def test_clipping_an_infinite_gradient_makes_nan():
    assert clipped(torch.tensor([3.0, 4.0])).tolist() == pytest.approx([0.6, 0.8])
    after = clipped(torch.tensor([math.inf, 1.0]))
    assert after[0].isnan()
    assert after[1] == 0


def test_a_zero_head_alarms_and_learns():
    (patient,) = (p for p in PATIENTS if p.name == "ReLU 3, head 0")
    seen = course(patient, 0)
    assert seen.smallest == 0
    assert seen.alarm
    assert seen.accuracy > 0.85


def test_a_way_around_needs_equal_widths():
    net = Stack(2, "relu", HE, inputs=5, width=64, skip=True)
    assert net.states(torch.zeros(1, 5))[-1].shape == (1, 64)
