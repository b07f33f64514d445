"""The experiments on activations, and the parts of the dear ones."""

from __future__ import annotations

import pytest
import torch
from trials import check, numbers, run

pytest.importorskip("sklearn")

from gradoctor.experiments import activations_modules as modules
from gradoctor.experiments.activations_slopes import RELUS, at

DEAR = {11}


@pytest.mark.parametrize("number", numbers("activations", DEAR))
def test_the_verdict_is_the_expected_one(number):
    check(number)


# ---- exact ones ---------------------------------------------------------------------------------
@pytest.mark.parametrize("point", [-2.0, -1e-9, 1e-9, 3.0])
def test_the_seven_relus_differ_at_zero_only(point):
    assert {at(function, point) for function in RELUS.values()} == {float(point > 0)}
    assert {at(function, 0.0) for function in RELUS.values()} == {0.0, 0.5, 1.0}


def test_leaky_relu_parts_from_the_maximum_above_one():
    figures = run(60).figures
    assert figures["error.1.0"].middle == 0
    assert figures["error.2.0"].middle == pytest.approx(4)


def test_one_bias_for_both_maps_of_maxout_does_not_do():
    figures = run(65).figures
    assert figures["fit.shared"].middle > 1e3 * figures["fit.own"].middle
    assert figures["left.printed"].middle < 1e-20


# ---- modules ------------------------------------------------------------------------------------
def test_prelu_takes_the_second_dimension_for_its_channels():
    assert modules.takes(3, (4, 3))
    assert modules.takes(7, (2, 7, 3))
    assert not modules.takes(3, (2, 7, 3))
    assert not modules.takes(4, (4, 3))


@pytest.mark.parametrize(
    ("name", "refused"), [("sigmoid", True), ("exp", True), ("2x", False), ("square", False)]
)
def test_backward_refuses_what_relu_in_place_took_away(name, refused):
    assert modules.breaks(modules.BEFORE[name]) is refused


def test_other_errors_are_not_taken_for_that_refusal():
    def failing(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("out of paper")

    with pytest.raises(RuntimeError, match="paper"):
        modules.breaks(failing)
