"""The experiments on initialisation."""

from __future__ import annotations

import math

import pytest
import torch
from trials import check, numbers, run

pytest.importorskip("sklearn")

from gradoctor.experiments.initialisation_scale import SHAPES
from gradoctor.experiments.initialisation_symmetry import HEAD, STARTS, row_spread

DEAR = {52, 53, 54}


@pytest.mark.parametrize("number", numbers("initialisation", DEAR))
def test_the_verdict_is_the_expected_one(number):
    check(number)


@pytest.mark.parametrize("shape", SHAPES)
def test_shapes_have_the_same_variance(shape):
    weight = torch.empty(300, 200)
    SHAPES[shape](1.5)(weight, torch.Generator().manual_seed(0))
    assert float(weight.std()) == pytest.approx(1.5 / math.sqrt(200), rel=0.01)


def test_large_and_small_weights_go_both_wrong_ways():
    figures = run(17).figures
    assert figures["bits.relu.large"].low > 2
    assert figures["bits.relu.small"].high < -3


def test_row_spread():
    assert row_spread(torch.zeros(4, 3)) == 0
    assert row_spread(torch.tensor([[1.0, 2.0], [1.0, 2.0]])) == 0
    assert row_spread(torch.tensor([[1.0], [-1.0]])) == 1


def test_a_zero_head_is_among_the_starts():
    _, draw, head = STARTS[HEAD]
    weight = torch.ones(2, 2)
    head(weight, torch.Generator())
    assert not weight.any()
    draw(weight, torch.Generator().manual_seed(0))
    assert weight.all()
