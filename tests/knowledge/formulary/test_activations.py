"""Activations against PyTorch's autograd in double precision, quadrature, and brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.nn import functional as F

from gradoctor.knowledge.formulary import _signal
from gradoctor.knowledge.formulary._activation import Activation, VectorActivation
from gradoctor.knowledge.formulary.activations import ENTRIES
from gradoctor.theory.gaussian import expectation

SCALARS = [e for e in ENTRIES if isinstance(e, Activation)]
VECTORS = [e for e in ENTRIES if isinstance(e, VectorActivation)]
TORCH = {
    "identity": nn.Identity(),
    "prelu": lambda x: F.prelu(x, torch.tensor([0.25], dtype=x.dtype)),
    "rrelu": lambda x: F.rrelu(x, training=False),
    "gelu_tanh": nn.GELU(approximate="tanh"),
    "maxout": lambda x: x.amax(-1, keepdim=True),
    "softmax": nn.Softmax(-1),
    "log_softmax": nn.LogSoftmax(-1),
    "swiglu": lambda x: F.silu(x.chunk(2, -1)[0]) * x.chunk(2, -1)[1],
}
CALCULATE_GAIN = {
    "identity": ("linear",),
    "prelu": ("leaky_relu", 0.25),
    "rrelu": ("leaky_relu", 11 / 48),
}
# PyTorch: softplus is linear above 20; the slope 1/6 of hardsigmoid is kept in single precision
LOOSE = {"softplus": 2.1e-9, "hardsigmoid": 6e-9}
KINKS = (-6.0, -3.0, -1.0, 0.0, 1.0, 3.0, 6.0)


def torch_of(entry):
    return TORCH.get(entry.name) or getattr(nn, entry.torch.rpartition(".")[2])()


def by_autograd(entry, xs):
    x = torch.tensor(xs, dtype=torch.float64, requires_grad=True)
    y = torch_of(entry)(x)
    (slope,) = torch.autograd.grad(y.sum(), x)
    return y.detach().numpy(), slope.numpy()


def each(function):
    return np.vectorize(function, otypes=[float])


scalar = pytest.mark.parametrize("entry", SCALARS, ids=lambda e: e.name)
vector = pytest.mark.parametrize("entry", VECTORS, ids=lambda e: e.name)


@scalar
def test_value_and_slope_are_those_of_pytorch(entry):
    xs = [*np.linspace(-12, 12, 961), *KINKS, -1e4, -700.0, 19.9, 20.1, 700.0, 1e4]
    value, slope = by_autograd(entry, xs)
    near = LOOSE.get(entry.name, 1e-12)
    np.testing.assert_allclose(each(entry.value)(xs), value, rtol=1e-12, atol=near)
    np.testing.assert_allclose(each(entry.slope)(xs), slope, rtol=1e-12, atol=near)


@scalar
@given(x=st.floats(-1e4, 1e4))
def test_any_float_agrees_with_pytorch(entry, x):
    (value,), (slope,) = by_autograd(entry, [x])
    near = LOOSE.get(entry.name, 1e-12)
    assert entry.value(x) == pytest.approx(value, rel=1e-12, abs=near)
    assert entry.slope(x) == pytest.approx(slope, rel=1e-12, abs=near)


@scalar
def test_the_slope_is_the_difference_quotient(entry):
    step = 1e-5
    xs = np.linspace(-8.003, 8.003, 778)  # none within a step of a kink
    assert min(abs(x - k) for x in xs for k in KINKS) > step
    f = each(entry.value)
    quotient = (f(xs + step) - f(xs - step)) / (2 * step)
    np.testing.assert_allclose(each(entry.slope)(xs), quotient, atol=1e-9)


@scalar
def test_at_infinity_and_nan_it_does_what_pytorch_does(entry):
    xs = [-math.inf, math.inf, math.nan]
    value, _ = by_autograd(entry, xs)
    np.testing.assert_array_equal([entry.value(x) for x in xs], value)


@scalar
def test_its_limits(entry):
    far = 1e7 if entry.name == "softsign" else 1e3
    for x, limit, slope in (
        (-far, entry.low, entry.slope_low),
        (far, entry.high, entry.slope_high),
    ):
        assert entry.slope(x) == pytest.approx(slope, abs=1e-9)
        if math.isinf(limit):
            assert math.copysign(math.inf, entry.value(x)) == limit
            assert abs(entry.value(10 * x)) > 5 * abs(entry.value(x))
        else:
            assert entry.value(x) == pytest.approx(limit, abs=1e-6)


@scalar
def test_its_gaussian_figures(entry):
    f, slope = each(entry.value), each(entry.slope)
    square = expectation(lambda z: f(z) ** 2)
    assert entry.gain == pytest.approx(square**-0.5, abs=1e-6)
    assert entry.mean == pytest.approx(expectation(f), abs=1e-6)
    chi = expectation(lambda z: slope(z) ** 2) / square
    assert entry.chi == pytest.approx(chi, abs=2e-6)
    assert entry.bits == pytest.approx(math.log2(math.sqrt(chi)), abs=1e-5)
    assert entry.zero_centred == (abs(expectation(f)) < 1e-9)


@scalar
def test_pytorchs_own_gain(entry):
    name = CALCULATE_GAIN.get(entry.name, (entry.name,))
    if entry.torch_gain is None:
        with pytest.raises(ValueError, match="Unsupported"):
            nn.init.calculate_gain(*name)
        return
    assert entry.torch_gain == pytest.approx(nn.init.calculate_gain(*name), rel=1e-12)
    differs = abs(entry.torch_gain / entry.gain - 1) > 1e-5
    assert differs != entry.gain_note.en.startswith("the same")


def runs(mask):
    """Where a mask begins and ends to hold, as pairs of indices."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.astype(int), [0]])))
    return list(zip(edges[::2], edges[1::2] - 1, strict=True))


@scalar
def test_where_its_gradient_dies(entry):
    step, reach = 1e-3, 45.0
    x = np.round(np.arange(-reach, reach + step / 2, step), 6)
    slopes = np.abs(each(entry.slope)(x))
    assert slopes.max() == pytest.approx(entry.steepest, abs=1e-3)
    assert slopes.max() <= entry.steepest + 1e-8
    found = runs(slopes < entry.steepest / 1000)
    assert len(found) == len(entry.dead)
    for (low, high), (begins, ends) in zip(entry.dead, found, strict=True):
        assert (low == -math.inf) if begins == 0 else abs(x[begins] - low) < 1.01 * step
        assert (high == math.inf) if ends == len(x) - 1 else abs(x[ends] - high) < 1.01 * step
    for edge in itertools.chain(*entry.dead):  # and exactly, where the slope has no jump
        if math.isfinite(edge) and (entry.smooth or entry.name == "selu"):
            assert abs(entry.slope(edge)) == pytest.approx(entry.steepest / 1000, rel=1e-3)


@scalar
def test_its_fixed_points(entry):
    for low, high in entry.fixed_points:
        inside = np.linspace(max(low, -50), min(high, 50), 11)
        np.testing.assert_allclose(each(entry.value)(inside), inside, atol=1e-6)
    # no others; beyond 5 GELU comes so near to x that rounding hides the difference
    for x in np.linspace(-5.0003, 5.0003, 5001):
        if all(not low - 0.01 <= x <= high + 0.01 for low, high in entry.fixed_points):
            assert abs(entry.value(x) - x) > 1e-9, x


@scalar
def test_its_shape(entry):
    x = np.linspace(-12, 12, 24001)
    f = each(entry.value)(x)
    assert entry.monotone == bool((np.diff(f) > -1e-12).all())
    jump = np.abs(np.diff(each(entry.slope)(x))).max()
    assert entry.smooth == (jump < 0.01), (
        jump
    )  # a smooth slope changes by 0.001 from point to point


def test_minima_that_the_texts_name():
    minima = {
        "gelu": (-0.16997, -0.7518), "gelu_tanh": (-0.17004, -0.7525),
        "silu": (-0.27846, -1.2785), "mish": (-0.30884, -1.1924), "hardswish": (-0.375, -1.5),
    }  # fmt: skip
    x = np.linspace(-4, 0, 400001)
    for name, (least, where) in minima.items():
        entry = next(e for e in SCALARS if e.name == name)
        f = each(entry.value)(x)
        assert f.min() == pytest.approx(least, abs=6e-6)
        assert x[f.argmin()] == pytest.approx(where, abs=6e-5)
        said = entry.range + entry.gradient.en
        assert f"{abs(least):g}" in said
        assert f"{abs(where):g}" in entry.gradient.en


def test_selu_draws_the_variance_back_to_1():
    selu = next(e for e in SCALARS if e.name == "selu")
    f = each(selu.value)
    for start in (0.2, 5.0):
        variance = start
        for _ in range(200):
            root = math.sqrt(variance)
            variance = expectation(lambda z, r=root: f(r * z) ** 2)
        assert variance == pytest.approx(1, abs=1e-6)
    assert expectation(f) == pytest.approx(0, abs=1e-9)


# ---- several inputs ------------------------------------------------------------------------------
def agree(entry, xs):
    x = torch.tensor(xs, dtype=torch.float64)
    f = torch_of(entry)
    np.testing.assert_allclose(entry.value(xs), f(x).numpy(), rtol=1e-12, atol=1e-12)
    jacobian = torch.autograd.functional.jacobian(f, x).numpy()
    np.testing.assert_allclose(entry.jacobian(xs), jacobian, rtol=1e-12, atol=1e-12)


@vector
@given(xs=st.lists(st.floats(-1e4, 1e4), min_size=2, max_size=8).filter(lambda v: len(v) % 2 == 0))
def test_vectors_agree_with_pytorch(entry, xs):
    agree(entry, xs)


@vector
def test_vectors_at_ties_and_extremes(entry):
    for xs in ([0.0] * 4, [1e4, -1e4, 0.0, 3.0], [-1e4] * 4, [1e4, 1e4, -1.0, 2.0]):
        agree(entry, xs)


@vector
def test_the_jacobian_is_the_difference_quotient(entry):
    rng = np.random.default_rng(0)
    xs, step = rng.normal(size=6), 1e-6
    columns = [
        (np.array(entry.value([*(xs + step * e)])) - np.array(entry.value([*(xs - step * e)])))
        / (2 * step)
        for e in np.eye(6)
    ]
    np.testing.assert_allclose(entry.jacobian([*xs]), np.array(columns).T, atol=1e-8)


def test_gains_of_vectors_on_samples():
    rng = np.random.default_rng(0)
    for entry in VECTORS:
        assert (entry.gain is None) == (entry.name in {"softmax", "log_softmax"})
        if entry.gain is None:
            continue
        sample = rng.normal(size=(40_000, 2))
        squares = [entry.value([*z])[0] ** 2 for z in sample]
        slopes = [sum(s * s for s in entry.jacobian([*z])[0]) for z in sample]
        assert entry.gain == pytest.approx(np.mean(squares) ** -0.5, rel=0.03)
        assert entry.chi == pytest.approx(entry.gain**2 * np.mean(slopes), rel=0.03)


def test_gains_of_gated_units_by_quadrature():
    # independent halves: E[(a g(b))²] = E[a²] E[g(b)²], and the Jacobian's square adds up both ways
    for name, gate in (("glu", "sigmoid"), ("swiglu", "silu")):
        entry = next(e for e in VECTORS if e.name == name)
        scalar_gate = next(e for e in SCALARS if e.name == gate)
        assert entry.gain == pytest.approx(scalar_gate.gain, abs=1e-6)
        assert entry.chi == pytest.approx(1 + scalar_gate.chi, abs=1e-6)


# ---- in depth ------------------------------------------------------------------------------------
@scalar
def test_what_is_drawn_in_depth_agrees_with_the_theory(entry):
    assert _signal.second_moment(entry.value) == pytest.approx(entry.gain**-2, abs=2e-3)
    kept = list(_signal.gradient(entry.value, entry.slope, entry.gain, 3))
    assert kept[0] == 1
    assert kept[2] == pytest.approx(entry.chi, rel=0.01)
