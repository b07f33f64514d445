"""Predictions along hand-built graphs, and what would be if they were built otherwise."""

from __future__ import annotations

import math

import numpy as np
import pytest

from gradoctor.theory.design import following, initialised, normalised, planned, rectified, residual
from gradoctor.theory.graph import Node, bits, predict
from gradoctor.theory.signal import Add, Elementwise, Moments, Normalised, Weights

RELU = Elementwise(lambda z: np.maximum(z, 0), lambda z: (z > 0) * 1.0)
SIGMOID = Elementwise(lambda z: 1 / (1 + np.exp(-z)), lambda z: np.exp(-z) / (1 + np.exp(-z)) ** 2)
UNIT = Moments(0.0, 1.0, 0.0)
WIDTH = 1000


def chain(depth: int, gain: float, activation=RELU, norm: str = "") -> list[Node]:
    """input -> (layer -> norm? -> activation) x depth -> head."""
    nodes = [Node(0, "input", None, (), WIDTH, UNIT)]

    def put(op, rule, inputs=None, **more):
        inputs = (len(nodes) - 1,) if inputs is None else inputs
        nodes.append(Node(len(nodes), op, rule, inputs, WIDTH, UNIT, **more))

    for _ in range(depth):
        put("linear", Weights(0.0, gain**2 / WIDTH, WIDTH, WIDTH), layer=True)
        if norm:
            put("norm", Normalised(norm, 1e6, epsilon=0.0))
        put("relu" if activation is RELU else "sigmoid", activation)
    put("linear", Weights(0.0, 1 / WIDTH, WIDTH, WIDTH), layer=True, gradient=UNIT)
    return nodes


def slope(nodes: list[Node]) -> float:
    found = predict(nodes)
    path = [bits(found.gradients[n.id], n.size) for n in nodes if n.layer][:-1]
    return -float(np.median(np.diff(path)))  # the first layer's input is of another kind


@pytest.mark.parametrize(
    ("gain", "wanted"), [(math.sqrt(2), 0.0), (1.0, -0.5), (2 * math.sqrt(2), 1.0)]
)
def test_the_gain_of_relu_is_the_slope(gain, wanted):
    assert slope(chain(20, gain)) == pytest.approx(wanted, abs=1e-9)


def test_batch_norm_with_relu():
    expected = 0.5 * math.log2(math.pi / (math.pi - 1))
    assert slope(chain(20, 1.0, norm="batch")) == pytest.approx(expected, abs=0.005)
    assert slope(chain(20, 7.0, norm="batch")) == pytest.approx(expected, abs=0.005)


def test_layer_norm_keeps_the_gradient_of_relu():
    assert slope(chain(20, 0.01, norm="features")) == pytest.approx(0.0, abs=0.01)


def test_sigmoid_loses_two_bits():
    """At unit gain the pre-activations settle near 0.27 and E[s'^2] near 0.06."""
    assert slope(chain(20, 1.0, SIGMOID)) == pytest.approx(-2.0, abs=0.1)


def test_loud_and_quiet_samples_are_followed_apart():
    gelu = Elementwise(
        lambda z: 0.5 * z * (1 + np.tanh(0.7978845608 * (z + 0.044715 * z**3))),
        lambda z: np.gradient(0.5 * z * (1 + np.tanh(0.7978845608 * (z + 0.044715 * z**3))), z),
    )
    one = chain(30, 1.53, gelu)
    spread = list(one)
    spread[0] = Node(0, "input", None, (), WIDTH, UNIT, levels=(0.3, 1.7))
    assert slope(spread) > slope(one) - 0.02, "the loud ones carry the gradient"


def test_a_gradient_goes_to_all_inputs_of_a_sum():
    nodes = chain(2, math.sqrt(2))
    nodes[-1] = Node(len(nodes) - 1, "add", Add(), (2, 4), WIDTH, UNIT, gradient=UNIT)
    found = predict(nodes)
    assert found.gradients[4].square == pytest.approx(1.0)
    assert found.gradients[2].square == pytest.approx(1.0 + 1.0)


def test_what_no_gradient_reaches_gets_none():
    nodes = [*chain(2, 1.0), Node(6, "relu", RELU, (3,), WIDTH, UNIT)]
    assert predict(nodes).gradients[6].square == 0.0


# ---- designs ---------------------------------------------------------------------------------
@pytest.mark.parametrize("activation", [RELU, SIGMOID])
def test_planned_weights_give_unit_variance(activation):
    nodes = initialised(chain(30, 0.01, activation))
    values = predict(nodes).values
    assert [values[n.id].square for n in nodes if n.layer] == pytest.approx([1.0] * 31, rel=1e-3)


def test_planned_shares_unit_variance_among_branches():
    nodes = residual(chain(10, 1.0))
    ends = [end for _, _, end in planned(nodes)]
    assert sum(ends) == 10
    final = predict(initialised(nodes)).values[nodes[-1].id]
    assert 0.5 < final.square < 8


@pytest.mark.parametrize(
    ("design", "most"),
    [
        (rectified, 0.05),
        (lambda n: normalised(n, "batch"), 0.15),
        (lambda n: initialised(residual(n)), 0.15),
    ],
    ids=["relu", "batch norm", "residual"],
)
def test_designs_mend_a_sigmoid_chain(design, most):
    sick = chain(20, 0.58, SIGMOID)
    assert slope(sick) < -2
    assert abs(slope(design(sick))) < most


def test_following_looks_through_norms():
    nodes = chain(2, 1.0, norm="batch")
    assert following(nodes, nodes[1]) == "relu"
    assert following(nodes, nodes[-1]) == ""


def test_designs_leave_the_graph_as_it_was():
    nodes = chain(4, 0.5, SIGMOID)
    before = slope(nodes)
    for design in (initialised, rectified, residual, lambda n: normalised(n, "features")):
        design(nodes)
    assert slope(nodes) == before
    assert [n.id for n in residual(nodes)] == list(range(len(residual(nodes))))
