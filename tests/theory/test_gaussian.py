"""Quadrature against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradoctor.theory.gaussian import expectation, hermite, panels

MOMENTS = (1.0, 0.0, 1.0, 0.0, 3.0, 0.0, 15.0)


@given(st.lists(st.floats(-3, 3), min_size=1, max_size=7))
def test_polynomials_are_exact(coefficients):
    def polynomial(z):
        return sum(c * z**k for k, c in enumerate(coefficients))

    wanted = sum(c * m for c, m in zip(coefficients, MOMENTS, strict=False))
    assert expectation(polynomial) == pytest.approx(wanted, abs=1e-8)


@given(st.floats(-3, 3))
def test_a_kink_anywhere_is_right(at):
    """E[max(z - a, 0)] = phi(a) - a (1 - Phi(a))."""
    density = math.exp(-(at**2) / 2) / math.sqrt(2 * math.pi)
    tail = 0.5 * math.erfc(at / math.sqrt(2))
    found = expectation(lambda z: np.maximum(z - at, 0.0))
    assert found == pytest.approx(density - at * tail, abs=2e-5)


@given(st.floats(-3, 3))
def test_a_jump_is_right_to_a_panel(at):
    tail = 0.5 * math.erfc(at / math.sqrt(2))
    assert expectation(lambda z: (z > at) * 1.0) == pytest.approx(tail, abs=5e-3)


def test_relu_is_exact_at_its_kink():
    assert expectation(lambda z: np.maximum(z, 0) ** 2) == pytest.approx(0.5, abs=1e-12)
    assert expectation(lambda z: (z > 0) * 1.0) == pytest.approx(0.5, abs=1e-12)


@pytest.mark.parametrize("nodes", [hermite(48), panels(), panels(6.0, 48, 4)])
def test_weights_are_a_distribution(nodes):
    points, weights = nodes
    assert weights.sum() == pytest.approx(1.0)
    assert weights @ points == pytest.approx(0.0, abs=1e-12)
    assert weights @ points**2 == pytest.approx(1.0, abs=1e-6)


def test_what_is_no_function_of_one_element_is_refused():
    with pytest.raises(ValueError, match="not elementwise"):
        expectation(lambda z: z.sum())
    with pytest.raises(ValueError, match="not finite"):
        expectation(lambda z: np.where(z > 0, np.nan, z))
