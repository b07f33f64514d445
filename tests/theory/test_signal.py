"""Each rule against closed forms and against random networks in numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradoctor.theory.signal import (
    Add,
    Elementwise,
    Local,
    Moments,
    Multiply,
    Normalised,
    Reshape,
    Scale,
    Weights,
    added,
    averaged,
)

RELU = Elementwise(lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0)
TANH = Elementwise(np.tanh, lambda z: 1 - np.tanh(z) ** 2)
UNIT = Moments(0.0, 1.0, 0.0)
variances = st.floats(1e-3, 1e3)


def seen(rule, *xs: Moments) -> Moments:
    return rule.forward(xs, UNIT)


def moments_of(x: np.ndarray) -> Moments:
    """``[samples, units]`` measured as the definition has it."""
    count = len(x)
    common = (x.mean(0) ** 2).mean()
    square = (x**2).mean()
    return Moments(x.mean(), square, (count * common - square) / (count - 1))


@given(variances)
def test_relu_halves_whatever_the_scale(q):
    out = seen(RELU, Moments(0.0, q, 0.0))
    assert out.square == pytest.approx(q / 2)
    assert out.mean == pytest.approx(math.sqrt(q / (2 * math.pi)), rel=1e-3)
    (g,) = RELU.backward((Moments(0.0, q, 0.0),), UNIT)
    assert g.square == pytest.approx(0.5)


@given(st.floats(0.0, 0.999))
def test_the_correlation_of_relu_is_the_arc_cosine_kernel(rho):
    """Cho, Saul 2009: E[relu(u) relu(v)] = (sin t + (pi - t) cos t) / 2 pi, rho = cos t."""
    t = math.acos(rho)
    wanted = (math.sin(t) + (math.pi - t) * math.cos(t)) / (2 * math.pi)
    assert seen(RELU, Moments(0.0, 1.0, rho)).cross == pytest.approx(wanted, abs=1e-3)


@given(st.floats(0.1, 3.0), st.floats(0.0, 0.95), st.floats(-1.0, 1.0))
def test_a_dense_layer_as_numpy_has_it(deviation, rho, mean):
    draw = np.random.default_rng(1)
    units, samples, outputs = 400, 20, 300
    shared = math.sqrt(rho) * draw.normal(size=(1, units))
    z = mean + deviation * (shared + math.sqrt(1 - rho) * draw.normal(size=(samples, units)))
    x = np.tanh(z)
    w = draw.normal(size=(units, outputs)) * 2 / math.sqrt(units)
    predicted = seen(TANH, moments_of(z))
    assert predicted.square == pytest.approx((x**2).mean(), rel=0.1)
    rule = Weights(0.0, 4 / units, units, outputs)
    found = moments_of(x @ w)
    assert seen(rule, predicted).square == pytest.approx(found.square, rel=0.25)
    g = draw.normal(size=(samples, outputs))
    back = rule.backward((UNIT,), Moments(0.0, 1.0, 0.0))[0]
    assert back.square == pytest.approx(((g @ w.T) ** 2).mean(), rel=0.15)


def test_batch_norm_and_relu_grow_as_yang_and_others_have_it():
    """A layer multiplies the mean square of the gradient by pi / (pi - 1)."""
    layer, norm = Weights(0.0, 1.0, 1.0, 1.0), Normalised("batch", 1e9, epsilon=0.0)
    g = UNIT
    x = seen(layer, seen(RELU, UNIT))  # a pre-activation, whatever its scale
    (g,) = norm.backward((x,), g)
    (g,) = layer.backward((UNIT,), g)
    (g,) = RELU.backward((UNIT,), g)
    assert g.square == pytest.approx(math.pi / (math.pi - 1), rel=2e-3)


def test_norms_as_numpy_has_them():
    draw = np.random.default_rng(0)
    x = 3 + 2 * draw.normal(size=(500, 200))
    measured = moments_of(x)
    batch = (x - x.mean(0)) / x.std(0)
    assert seen(Normalised("batch", 500), measured).square == pytest.approx((batch**2).mean(), 1e-2)
    layer = (x - x.mean(1, keepdims=True)) / x.std(1, keepdims=True)
    assert seen(Normalised("features", 200), measured).square == pytest.approx(
        (layer**2).mean(), 1e-2
    )
    root = x / np.sqrt((x**2).mean(1, keepdims=True))
    out = seen(Normalised("rms", 200), measured)
    assert out.square == pytest.approx((root**2).mean(), 1e-2)
    (g,) = Normalised("rms", 200).backward((measured,), UNIT)
    assert g.square == pytest.approx(1 / (x**2).mean(), rel=2e-2)


def test_gain_and_shift_of_a_norm():
    out = seen(Normalised("features", 100, 4.0, 0.5, 0.3), Moments(0.0, 9.0, 1.0))
    assert (out.mean, out.square) == pytest.approx((0.5, 4.3), rel=1e-4)
    assert out.cross == pytest.approx(4 / 9 + 0.3, rel=1e-4)


def test_sums_products_and_parts():
    a, b = Moments(1.0, 3.0, 1.5), Moments(-2.0, 5.0, 4.5)
    assert added((a, b)) == Moments(-1.0, 3 + 5 + 2 * 1 * -2, 1.5 + 4.5 - 4)
    assert seen(Add(), a, b) == added((a, b))
    assert seen(Multiply(), a, b) == Moments(-2.0, 15.0, 6.75)
    assert [g.square for g in Multiply().backward((a, b), UNIT)] == [5.0, 3.0]
    assert [g.square for g in Reshape(0.25).backward((a,), UNIT)] == [0.25]
    assert seen(Scale(4.0), a) == Moments(2.0, 12.0, 6.0)
    dropped = seen(Scale(2.0, random=True), a)
    assert dropped == Moments(1.0, 6.0, 1.5)
    assert averaged([a, b]) == Moments(-0.5, 4.0, 3.0)


def test_what_was_measured_keeps_its_proportion():
    rule = Local((0.5, 2.0), square=2.0)
    assert rule.forward((Moments(0, 8.0, 0), UNIT), Moments(0, 3.0, 1.0)).square == 12.0
    assert [g.square for g in rule.backward((UNIT, UNIT), UNIT)] == [0.5, 2.0]


@given(st.floats(-5, 5), variances, st.floats(0, 1), st.floats(0.1, 10))
def test_scale_in_scale_out(mean, variance, rho, factor):
    """A linear layer and ReLU commute with a scale."""
    x = Moments(mean, variance + mean**2, rho * variance + mean**2)
    big = Moments(mean * factor, x.square * factor**2, x.cross * factor**2)
    for rule in (RELU, Weights(0.1, 0.2, 30, 40)):
        out, larger = seen(rule, x), seen(rule, big)
        assert larger.square == pytest.approx(out.square * factor**2, rel=1e-2, abs=1e-9)
