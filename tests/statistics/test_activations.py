"""Kernels of outputs and of their gradients, against float64 numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tensors import ANY, BAD, EMPTY, NAN, NASTY, close, float32, made, rms, tensors, untouched, wide

from gradoctor import statistics as kernels

FORTY = settings(max_examples=40, deadline=None)


def dependence(x: np.ndarray) -> tuple[float, float]:
    """rms(y - mean row)/rms(y), and the mean cosine over pairs of rows that are not zero."""
    if x.ndim < 2 or x.shape[0] < 2 or not x.size or not np.isfinite(x).all():
        return NAN, NAN
    rows = x.reshape(x.shape[0], -1) / max(np.abs(x).max(), 1e-300)
    ratio = rms(rows - rows.mean(0)) / max(rms(rows), 1e-300)
    sizes = np.linalg.norm(rows, axis=1)
    unit = rows[sizes > 0] / sizes[sizes > 0, None]
    n = len(unit)
    cosine = (np.sum(unit @ unit.T) - n) / (n * (n - 1)) if n > 1 else NAN
    return ratio, cosine


def check_activation(y: torch.Tensor) -> None:
    with untouched(y):
        got = dict(zip(kernels.ACT, kernels.summarise_activation(y).tolist(), strict=True))
    x = wide(y)
    finite = np.isfinite(x).all()
    assert close(got["act.rms"], rms(x))
    assert close(got["act.absmax"], np.abs(x).max() if x.size else NAN)
    if not x.size:
        assert all(np.isnan(v) for k, v in got.items() if k != "act.nonfinite")
        return
    assert got["act.nonfinite"] == (not finite)
    assert close(got["act.zero_fraction"], np.mean(x == 0))
    if finite:
        assert abs(got["act.mean"] - float32(np.mean(x))) <= 1e-5 * float32(np.abs(x).max())
    if finite and np.abs(x).max() < 3e38:
        ratio, cosine = dependence(x)
        # a difference of squares: its own error is some 1e-7 of the whole
        assert close(got["act.centred_ratio"] ** 2, ratio**2, 1e-3, 1e-6)
        assert close(got["act.similarity"], cosine, 1e-4, 1e-5)


@pytest.mark.parametrize("name", ANY)
def test_activation_of_nasty_tensors(name):
    check_activation(ANY[name])


@given(tensors(dims=(1, 4), side=11))  # 11^4 elements: below the size of a sample
@FORTY
def test_activation_is_that_of_float64(y):
    check_activation(y)


def test_activation_of_a_big_output_is_measured_on_a_fair_sample():
    y = torch.relu(made((600, 5000), 0))
    got = dict(zip(kernels.ACT, kernels.summarise_activation(y).tolist(), strict=True))
    assert close(got["act.rms"], rms(wide(y)), 1e-4)
    assert abs(got["act.zero_fraction"] - 0.5) < 0.02
    assert abs(got["act.mean"] - 0.399) < 0.02
    assert abs(got["act.centred_ratio"] - dependence(wide(y)[:64])[0]) < 0.02
    every_other = torch.zeros(512, 512)
    every_other[:, ::2] = 1
    zero = kernels.summarise_activation(every_other)[kernels.ACT.index("act.zero_fraction")]
    assert abs(float(zero) - 0.5) < 0.01  # an even stride would see one kind of column only


@given(st.integers(-28, 28), st.integers(0, 99))
@FORTY
def test_what_is_a_ratio_does_not_depend_on_the_unit(power, seed):
    y = made((9, 7), seed) + 0.3
    plain, scaled = kernels.summarise_activation(y), kernels.summarise_activation(y * 10.0**power)
    for column in ("act.zero_fraction", "act.centred_ratio", "act.similarity"):
        i = kernels.ACT.index(column)
        assert close(float(scaled[i]), float(plain[i]), 1e-4)


@pytest.mark.parametrize("kind", ["tanh", "sigmoid"])
@pytest.mark.parametrize("spread", [0.01, 1.0, 3.0, 30.0])
def test_saturation(kind, spread):
    z = made((40, 30), 1, spread, torch.float64)
    y = torch.tanh(z) if kind == "tanh" else torch.sigmoid(z)
    with untouched(y):
        beyond, loss = kernels.summarise_saturation(y, kind).tolist()
    x = wide(y)
    slope = 1 - x**2 if kind == "tanh" else x * (1 - x)
    limit = np.abs(x) > 0.97 if kind == "tanh" else (x < 0.03) | (x > 0.97)
    assert close(beyond, limit.mean(), 1e-3)
    usual = {"tanh": 0.681, "sigmoid": 0.212}[kind]
    assert close(loss, -np.log2(np.sqrt(np.mean(slope**2)) / usual), 1e-3, 1e-4)


@pytest.mark.parametrize("name", ANY)
def test_saturation_takes_anything(name):
    out = kernels.summarise_saturation(ANY[name], "tanh")
    assert out.shape == (2,)
    if name in EMPTY:
        assert out.isnan().all()


def test_the_normal_slopes_are_those_of_the_formula():
    z = np.random.default_rng(0).standard_normal(2_000_000)
    s = 1 / (1 + np.exp(-z))
    assert np.sqrt(np.mean((1 - np.tanh(z) ** 2) ** 2)) == pytest.approx(0.681, abs=2e-3)
    assert np.sqrt(np.mean((s * (1 - s)) ** 2)) == pytest.approx(0.212, abs=1e-3)


@pytest.mark.parametrize("name", ANY)
def test_gradient(name):
    g = ANY[name]
    with untouched(g):
        got = dict(zip(kernels.ACTGRAD, kernels.summarise_gradient(g).tolist(), strict=True))
    x = wide(g)
    assert close(got["actgrad.rms"], rms(x))
    assert close(got["actgrad.absmax"], np.abs(x).max() if x.size else NAN)
    assert got["actgrad.nonfinite"] == (not x.size or not np.isfinite(x).all())
    assert x.size == 0 or close(got["actgrad.zero_fraction"], np.mean(x == 0))


@given(tensors())
@FORTY
def test_gradient_is_that_of_float64(g):
    x = wide(g)
    got = kernels.summarise_gradient(g).tolist()
    assert close(got[0], rms(x))
    assert close(got[1], np.abs(x).max())
    assert got[2:] == [0.0, pytest.approx(np.mean(x == 0))]


def test_integers_complex_and_sparse_outputs_have_a_size():
    ints = torch.arange(12).reshape(3, 4)
    assert close(float(kernels.summarise_activation(ints)[0]), rms(wide(ints)))
    pairs = torch.complex(made((4, 3), 0), made((4, 3), 1))
    whole = torch.view_as_real(pairs)
    assert close(float(kernels.summarise_activation(pairs)[0]), rms(wide(whole)))
    sparse = torch.eye(4).to_sparse()
    with untouched(sparse):
        assert float(kernels.summarise_activation(sparse)[0]) == 1.0


class TestDeadUnits:
    @staticmethod
    def looks(count: int, batch: int, dead: float = 0.25) -> list[torch.Tensor]:
        out = []
        for seed in range(count):
            y = torch.relu(made((batch, 8), seed))
            y[:, : int(8 * dead)] = 0
            out.append(y)
        return out

    def test_waits_for_twenty_looks_at_two_thousand_samples(self):
        units = kernels.DeadUnits(-1)
        for i, y in enumerate(self.looks(30, 100)):
            assert (units.fraction() is None) == (i < 20)
            units.observe(y)
        assert float(units.fraction()) == 0.25

    def test_waits_for_two_hundred_looks_at_small_batches(self):
        units = kernels.DeadUnits(-1)
        for y in self.looks(199, 2):
            units.observe(y)
        assert units.fraction() is None
        units.observe(self.looks(1, 2)[0])
        assert float(units.fraction()) == 0.25

    def test_a_unit_that_dies_is_dead_once_its_last_sign_of_life_left_the_window(self):
        units = kernels.DeadUnits(-1)
        for y in self.looks(40, 200, dead=0):
            units.observe(y)
        assert float(units.fraction()) == 0
        for y in self.looks(40, 200, dead=0.5):
            units.observe(y)
        assert float(units.fraction()) == 0.5
        for y in self.looks(1, 200, dead=0):
            units.observe(y)
        assert float(units.fraction()) == 0

    def test_units_of_images_are_channels(self):
        units = kernels.DeadUnits(1)
        for seed in range(20):
            y = torch.relu(made((100, 4, 3, 3), seed))
            y[:, 3] = 0
            with untouched(y):
                units.observe(y)
        assert float(units.fraction()) == 0.25

    def test_a_change_of_width_begins_again_and_nothing_is_no_look(self):
        units = kernels.DeadUnits(-1)
        for y in self.looks(25, 100):
            units.observe(y)
        units.observe(torch.zeros(0, 8))
        units.observe(torch.zeros(8))
        assert units.fraction() is not None
        units.observe(torch.ones(100, 5))
        assert units.fraction() is None


@pytest.mark.parametrize("name", [*NASTY, *BAD])
def test_dead_units_take_anything(name):
    units = kernels.DeadUnits(-1)
    for _ in range(200):
        units.observe(ANY[name])
    x = wide(ANY[name])
    assert float(units.fraction()) == pytest.approx(np.mean((x == 0).all(0)))


class TestHalf:
    def test_room_below_the_largest_number(self):
        for largest, bits in ((65504.0, 0.0), (16376.0, 2.0), (1.0, 15.99956)):
            got = kernels.headroom(torch.tensor(largest))
            assert got.shape == (1,)
            assert close(float(got), bits)

    @pytest.mark.parametrize("bad", [float("inf"), NAN])
    def test_no_room_where_it_is_not_finite(self, bad):
        assert float(kernels.headroom(torch.tensor(bad))) == -1.0

    def test_zeros_have_all_the_room(self):
        assert float(kernels.headroom(torch.tensor(0.0))) == 64.0

    @pytest.mark.parametrize("spread", [2.0**-24, 2.0**-22, 2.0**-20])
    def test_what_was_rounded_to_zero_is_underestimated_by_little(self, spread):
        true = torch.randn(1 << 14, generator=torch.Generator().manual_seed(1)) * spread
        half = true.half()
        with untouched(half):
            subnormal, lost = kernels.summarise_underflow(half).tolist()
        truth = float((half == 0).float().mean())
        assert 0.6 * truth <= lost <= 1.2 * truth
        assert subnormal == float((half[half != 0].abs() < 2.0**-14).float().mean())

    def test_zeros_of_a_mask_are_not_lost(self):
        grad = torch.randn(64, 64, generator=torch.Generator().manual_seed(1))
        grad[grad < 0] = 0
        assert kernels.summarise_underflow(grad.half()).tolist()[1] == 0.0

    def test_nothing_is_known_of_zeros_alone(self):
        got = kernels.summarise_underflow(torch.zeros(4, 4, dtype=torch.float16))
        assert bool(torch.isnan(got).all())
