"""Gains against PyTorch's own where it has them, closed forms, and what has none."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from gradoctor.errors import GradoctorError
from gradoctor.nn import gain


@pytest.mark.parametrize(
    ("name", "activation", "parameter"),
    [
        ("linear", lambda x: x, None),
        ("relu", torch.relu, None),
        ("leaky_relu", nn.LeakyReLU(0.01), 0.01),
        ("leaky_relu", nn.LeakyReLU(0.3), 0.3),
    ],
)
def test_it_is_pytorchs_where_that_is_derived(name, activation, parameter):
    assert gain(activation) == pytest.approx(nn.init.calculate_gain(name, parameter), abs=1e-9)


@pytest.mark.parametrize(
    ("name", "exact", "convention"),
    [("tanh", 1.5925, 5 / 3), ("selu", 1.0, 3 / 4), ("sigmoid", 1.8462, 1.0)],
)
def test_where_pytorch_has_a_convention_ours_keeps_the_variance(name, exact, convention):
    assert gain(name) == pytest.approx(exact, abs=1e-4)
    assert nn.init.calculate_gain(name) == pytest.approx(convention)
    z = torch.randn(2_000_000, generator=torch.Generator().manual_seed(0))
    kept = (getattr(torch, name)(z) * gain(name)).square().mean()
    assert float(kept) == pytest.approx(1.0, abs=5e-3)


@given(st.floats(0.05, 20), st.floats(-2, 2))
def test_a_factor_of_the_activation_divides_the_gain(factor, slope):
    def leaky(x):
        return torch.where(x > 0, x, slope * x)

    assert gain(lambda x: factor * leaky(x)) == pytest.approx(gain(leaky) / factor, rel=1e-9)
    assert gain(leaky) == pytest.approx(math.sqrt(2 / (1 + slope**2)), rel=1e-9)
    assert gain(leaky, backward=True) == pytest.approx(gain(leaky), rel=1e-9)


def test_names_modules_and_functions_agree():
    assert gain("gelu") == gain(nn.GELU()) == gain(nn.functional.gelu)
    assert gain("tanh", backward=True) == pytest.approx(1.4674, abs=1e-4)
    assert gain(nn.PReLU()) == pytest.approx(gain(nn.LeakyReLU(0.25)), rel=1e-6)
    assert gain(nn.RReLU()) == pytest.approx(gain(nn.LeakyReLU((1 / 8 + 1 / 3) / 2)), rel=1e-6)


def test_it_draws_no_random_number_and_keeps_the_module_in_its_mode():
    activation, before = nn.RReLU(), torch.get_rng_state()
    gain(activation)
    assert torch.equal(torch.get_rng_state(), before)
    assert activation.training


@pytest.mark.parametrize(
    ("activation", "backward", "said"),
    [
        (lambda x: x / 0, False, "gives NaN or infinity"),
        (torch.log, False, "gives NaN or infinity"),
        (nn.Softmax(-1), False, "each element alone"),
        (lambda x: x[:3], False, "another shape"),
        (torch.cumsum, False, "cannot be called"),
        (lambda x: 0 * x, False, "no output to keep"),
        (torch.sign, True, "no gradient to keep"),
        (lambda x: torch.relu(x.detach()), True, "no gradient to keep"),
        ("reluu", False, "Did you mean relu"),
        ("adam", False, "no activation"),
    ],
)
def test_what_has_no_gain_says_why(activation, backward, said):
    with pytest.raises(GradoctorError, match=said):
        gain(activation, backward=backward)
