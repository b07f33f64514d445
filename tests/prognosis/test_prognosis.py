"""The verdict before the first step, on plain data."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradoctor.prognosis import Cure, Forecast, Layer
from gradoctor.prognosis._forecast import slope
from gradoctor.prognosis.judge import judged


def layers(
    measured: list[float], predicted: list[float] | None = None, **more
) -> tuple[Layer, ...]:
    predicted = measured if predicted is None else predicted
    return tuple(
        Layer(f"layers.{i}", "linear", "relu", "train.py", 7, m, p, 0.0, 0.1, **more)
        for i, (m, p) in enumerate(zip(measured, predicted, strict=True))
    )


def forecast(measured: list[float], predicted: list[float] | None = None, **more) -> Forecast:
    return Forecast("Net", "noise [8, 8]", layers(measured, predicted), **more)


def falling(bits: float, count: int = 11) -> list[float]:
    """Gradients that lose so many bits in all on their way to the first layer."""
    return [-bits * (1 - i / (count - 1)) for i in range(count)]


def found(case: Forecast) -> list[tuple[str, str]]:
    return [(f.code, f.level) for f in judged(case)]


MENDED = (Cure("initialise", 0.0, 0.0),)


@pytest.mark.parametrize(
    ("case", "wanted"),
    [
        (forecast(falling(0)), []),
        (forecast(falling(9)), []),
        (forecast(falling(-9)), []),
        (forecast(falling(12)), [("GD101", "suspect")]),
        (forecast(falling(12), cures=MENDED), [("GD303", "suspect")]),
        (forecast(falling(25)), [("GD101", "sick")]),
        (forecast(falling(25), cures=MENDED), [("GD303", "sick")]),
        (forecast(falling(-12)), [("GD102", "sick")]),
        (forecast(falling(-12), cures=MENDED), [("GD304", "sick")]),
        (forecast(falling(-12), normed=("batch",)), [("GD102", "suspect")]),
        (forecast(falling(25), falling(2)), [("GD101", "suspect")]),
        (forecast(falling(-25), falling(0)), [("GD102", "suspect")]),
        (forecast([-30.0] * 5 + [0.0] * 6), [("GD103", "suspect")]),
        (forecast(falling(40, 2)), []),
        (forecast([]), []),
    ],
    ids=[
        "level", "a little down", "a little up", "suspect", "suspect, by its weights", "vanishes",
        "vanishes by its weights", "explodes", "explodes by its weights", "batch norm heals",
        "theory disagrees", "theory sees nothing", "one place", "two layers", "none",
    ],
)  # fmt: skip
def test_levels(case, wanted):
    assert found(case) == wanted


def test_what_is_not_finite_comes_first():
    broken = (*layers([0.0] * 3), *layers([math.inf] * 3))
    assert found(Forecast("Net", "", broken)) == [("GD701", "sick")]


def test_constant_weights():
    zero = Forecast("Net", "", layers([-149.0] * 4, constant="zero"))
    assert found(zero) == [("GD301", "sick")]
    equal = Forecast("Net", "", layers([-1.0] * 4, constant="constant"))
    assert found(equal) == [("GD302", "sick")]
    branch = Forecast("Net", "", (*layers([0.0] * 3), *layers([0.0], constant="zero")))
    assert found(branch) == [], "a branch that starts at 0 and gets a gradient leaves it"


def test_layers_that_no_gradient_reaches():
    cut = Forecast("Net", "", (*layers([math.nan] * 2), *layers([0.0] * 3)))
    (fault,) = judged(cut)
    assert (fault.code, fault.level, fault.values["count"]) == ("GD903", "suspect", 2)


@given(st.floats(-80, 80), st.floats(-100, 100), st.integers(3, 40))
def test_scaling_every_gradient_changes_nothing(bits, shift, count):
    plain = falling(bits, count)
    moved = [b + shift for b in plain]
    assert found(forecast(plain)) == found(forecast(moved))


@given(st.lists(st.floats(-1000, 1000) | st.just(math.nan), max_size=8))
def test_any_profile_is_judged_and_written(bits):
    case = forecast(bits)
    case = Forecast(case.model, case.inputs, case.layers, judged(case))
    data = json.loads(json.dumps(case.to_data(), allow_nan=False))
    again = Forecast.from_data(data)
    assert again.verdict == case.verdict
    assert again.to_data() == case.to_data()


def test_the_slope_is_towards_the_input_and_robust():
    assert slope(falling(10)) == pytest.approx(-1.0)
    outlier = falling(10)
    outlier[4] = 30.0
    assert slope(outlier) == pytest.approx(-1.0, abs=0.1)


def test_the_depth_scale_is_that_of_mean_field_theory():
    """chi_1 = 2 ** (2 slope); xi = 1 / |ln chi_1|."""
    case = forecast(falling(20))
    assert case.depth_scale == pytest.approx(1 / abs(math.log(2.0**-4)))
    assert forecast(falling(0)).depth_scale == math.inf
