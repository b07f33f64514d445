"""Kernels of weights, gradients and updates, against float64 numpy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tensors import ANY, BAD, EMPTY, NAN, NASTY, close, made, rms, tensors, untouched, wide
from torch import nn

from gradoctor import statistics as kernels

FORTY = settings(max_examples=40, deadline=None)
FINITE = {name: x for name, x in NASTY.items() if name != "beyond float32"}


def lists(**kwargs):
    return st.lists(tensors(**kwargs), min_size=1, max_size=4)


def check_size(row: list[float], x: np.ndarray) -> None:
    """rms, absmax and nonfinite."""
    assert close(row[0], rms(x))
    assert close(row[1], np.abs(x).max() if x.size else NAN)
    assert row[2] == (not x.size or not np.isfinite(x).all())


@pytest.mark.parametrize("name", ANY)
def test_weights_and_gradients_of_nasty_tensors(name):
    given = [ANY[name], torch.ones(3)]
    with untouched(*given):
        weights = kernels.summarise_weights(given).tolist()
        grads = kernels.summarise_gradients([None, *given]).tolist()
    check_size(weights[0], wide(ANY[name]))
    assert weights[1] == [1, 1, 0]
    assert np.isnan(grads[0]).all()
    check_size(grads[1][:3], wide(ANY[name]))
    assert grads[2] == [1, 1, 0, 0]


@given(lists())
@FORTY
def test_weights_and_gradients_are_those_of_float64(given):
    grads = kernels.summarise_gradients(given).tolist()
    for x, weight, grad in zip(
        given, kernels.summarise_weights(given).tolist(), grads, strict=True
    ):
        check_size(weight, wide(x))
        check_size(grad[:3], wide(x))
        assert close(grad[3], np.mean(wide(x) == 0), 1e-5)


def test_no_parameters_make_an_empty_table():
    assert kernels.summarise_weights([]).shape == (0, 3)
    assert kernels.summarise_gradients([]).shape == (0, 4)
    assert kernels.summarise_gradients([None]).shape == (1, 4)


def test_only_a_gradient_that_is_zero_throughout_has_a_zero_fraction_of_one():
    seldom = torch.zeros(100_000)
    seldom[1] = 1e-30
    table = kernels.summarise_gradients([seldom, torch.zeros(100_000)])
    assert float(table[0, 3]) < 1
    assert float(table[1, 3]) == 1
    assert float(table[0, 0]) > 0


def test_a_sparse_gradient_is_measured_on_its_rows():
    rows = made((3, 4), 0)
    grad = torch.sparse_coo_tensor(torch.tensor([[5, 1, 5]]), rows, (9, 4), check_invariants=True)
    with untouched(grad):
        table = kernels.summarise_gradients([grad, torch.ones(2)]).tolist()
    merged = np.stack([wide(rows)[1], wide(rows)[0] + wide(rows)[2]])
    check_size(table[0][:3], merged)
    none = torch.sparse_coo_tensor(torch.empty(1, 0, dtype=torch.long), torch.empty(0, 4), (9, 4))
    assert math.isnan(kernels.summarise_gradients([none])[0, 0])


# ---- updates -------------------------------------------------------------------------------------
def check_update(old: torch.Tensor, new: torch.Tensor, grad: torch.Tensor, rate: float) -> None:
    with untouched(old, new, grad):
        got = kernels.summarise_updates([old], [new], [grad], [rate])[0].tolist()
    before = wide(old)
    delta = wide(new) - before + rate * before
    slack = 3e-7 * (np.abs(before).max() + np.abs(wide(new)).max()) + 1e-44
    assert close(got[0], rms(delta), 1e-4, slack)
    if rms(before) > 1e-25:
        assert close(got[1], rms(delta) / rms(before), 1e-4, slack / rms(before) * 2)
    assert close(got[2], rate * rms(before))
    parts = delta * wide(grad)
    if np.abs(parts).sum() < 1e38:
        limit = slack * np.abs(wide(grad)).sum() + 1e-4 * np.abs(parts).sum() + 1e-38
        assert abs(got[3] - parts.sum()) <= limit


@pytest.mark.parametrize("name", FINITE)
@pytest.mark.parametrize("rate", [0.0, 0.01])
def test_update(name, rate):
    old = FINITE[name]
    step = made(tuple(old.shape), 99).to(old.dtype) * old.abs().max() * 0.01
    check_update(old, (old - step).contiguous(), step, rate)


@given(tensors(), st.integers(0, 99), st.sampled_from([0.0, 1e-4, 0.5]))
@FORTY
def test_update_is_that_of_float64(old, seed, rate):
    step = made(tuple(old.shape), seed).to(old.dtype) * old.abs().max()
    check_update(old, old - step / 8, step, rate)


def test_decay_alone_is_no_update():
    old = made((50, 20), 0, dtype=torch.float64)
    got = kernels.summarise_updates([old], [old * (1 - 1e-3)], [torch.zeros(50, 20)], [1e-3])[0]
    assert float(got[1]) < 1e-12
    assert float(got[2]) == pytest.approx(1e-3 * rms(wide(old)))


def test_a_small_update_of_float64_weights_is_seen():
    old = made((5, 2), 0, dtype=torch.float64)
    got = kernels.summarise_updates([old], [old * (1 + 1e-11)], [None], [0.0])[0]
    assert float(got[1]) == pytest.approx(1e-11, rel=1e-3)
    assert math.isnan(got[3])


def test_parameters_of_several_kinds_are_measured_together():
    old = [made((3, 2), 0), made((4,), 1).bfloat16(), torch.complex(made((2,), 2), made((2,), 3))]
    new = [x * 1.5 for x in old]
    sparse = torch.eye(3)[:, :2].to_sparse()
    got = kernels.summarise_updates(old, new, [sparse, old[1], old[2]], [0.0] * 3)
    assert got[:, 1].tolist() == pytest.approx([0.5] * 3, rel=1e-2)
    assert math.isnan(got[0, 3])
    pairs = torch.view_as_real(old[2])
    assert float(got[2, 3]) == pytest.approx(0.5 * float((pairs**2).sum()), rel=1e-5)
    assert kernels.summarise_weights(old).shape == (3, 3)


def test_a_snapshot_does_not_follow_its_parameter():
    p = nn.Parameter(torch.ones(3))
    (copy,) = kernels.snapshot([p])
    with torch.no_grad():
        p.add_(1)
    assert copy.tolist() == [1, 1, 1]
    assert not copy.requires_grad


def test_lost_fraction():
    before = torch.full((4,), 256.0, dtype=torch.bfloat16)
    grad = torch.tensor([1.0, 1.0, 0.0, 1.0], dtype=torch.bfloat16)
    after = before.clone()
    after[3] = 258
    with untouched(before, after, grad):
        assert float(kernels.lost_fraction(before, after, grad)) == pytest.approx(2 / 3)
    assert float(kernels.lost_fraction(before, after, torch.zeros(4))) == 0


@given(tensors(dims=(1, 1), dtypes=(torch.float32,)), st.integers(0, 99))
@FORTY
def test_movement(first, seed):
    now = first + made(tuple(first.shape), seed) * first.abs().max()
    a, b = wide(first), wide(now)
    with untouched(first, now):
        known, unknown = kernels.movements([first, None], [now, now], first.device).tolist()
    if np.abs(a).max() > 0:
        assert close(known, rms(b - a) / rms(a), 1e-5)
    assert np.isnan(unknown)
    assert float(kernels.movements([first], [first], first.device)) == 0


# ---- sketches, cosine and noise ------------------------------------------------------------------
@given(st.lists(st.integers(0, 40_000), min_size=1, max_size=6))
@FORTY
def test_a_sketch_is_bounded_and_takes_the_same_places_each_time(sizes):
    given = [made((n,), i) for i, n in enumerate(sizes)]
    sketch = kernels.Sketch(given)
    with untouched(*given):
        one, two = sketch.take(given), sketch.take([g * 2 for g in given])
    assert len(one) <= 16384 + 8 * len(sizes)
    assert torch.equal(one * 2, two)
    assert not sketch.take([None] * len(given)).any()


def test_a_sketch_takes_sparse_gradients():
    dense = [torch.zeros(9, 4)]
    assert kernels.Sketch(dense).take([torch.eye(9)[:, :4].to_sparse()]).sum() == 4


@given(st.integers(-30, 30), st.integers(-30, 30), st.integers(0, 99))
@FORTY
def test_cosine_does_not_depend_on_size(p, q, seed):
    a, b = made((200,), seed), made((200,), seed + 1) + 0.5
    x, y = wide(a), wide(b)
    wanted = float(x @ y / np.linalg.norm(x) / np.linalg.norm(y))
    with untouched(a, b):
        assert float(kernels.cosine(a, b)) == pytest.approx(wanted, abs=1e-5)
    assert float(kernels.cosine(a * 10.0**p, b * 10.0**q)) == pytest.approx(wanted, abs=1e-5)


def test_cosine_of_nothing_is_zero_and_of_nan_is_nan():
    assert float(kernels.cosine(torch.zeros(3), torch.ones(3))) == 0
    assert float(kernels.cosine(torch.zeros(0), torch.zeros(0))) == 0
    assert math.isnan(kernels.cosine(torch.full((3,), NAN), torch.ones(3)))


def reference_snr(kept: list[torch.Tensor]) -> float:
    x = np.stack([wide(k) for k in kept])
    n = len(x)
    return float(n**0.5 * np.linalg.norm(x.mean(0)) / np.sqrt((x**2).sum(1).mean()))


@given(st.integers(10, 70), st.floats(0, 2), st.integers(-30, 30))
@settings(max_examples=20, deadline=None)
def test_gradient_noise(count, signal, power):
    kept = [(made((64,), i) + signal) * 10.0**power for i in range(count)]
    noise = kernels.GradientNoise(50)
    for i, k in enumerate(kept):
        assert math.isnan(noise.snr()) == (i < 10)
        with untouched(k):
            noise.add(k)
    assert float(noise.snr()) == pytest.approx(reference_snr(kept[-50:]), rel=1e-4)


@pytest.mark.parametrize("bad", [NAN, float("inf"), 1e30])
def test_gradient_noise_forgets_a_bad_gradient(bad):
    noise = kernels.GradientNoise(20)
    noise.add(torch.full((64,), bad))
    kept = [made((64,), i) + 0.3 for i in range(20)]
    for k in kept:
        noise.add(k)
    assert float(noise.snr()) == pytest.approx(reference_snr(kept), rel=1e-4)


# ---- initial values ------------------------------------------------------------------------------
def test_clones():
    rows = made((10, 6), 0)
    rows[4] = rows[7] = rows[1]
    rows[9] = rows[8] * (1 + 1e-3)
    for scale in (1e-30, 1.0, 1e30):
        with untouched(rows):
            assert kernels.clone_fraction(rows * scale) == pytest.approx(0.3)
    assert kernels.clone_fraction(torch.zeros(4, 3)) == 1
    assert kernels.clone_fraction(torch.full((4, 3), NAN)) == 0
    assert kernels.clone_fraction(torch.empty(4, 0)) == 0
    assert kernels.clone_fraction(made((600, 30), 1)) == 0


@pytest.mark.parametrize("name", [n for n, x in {**FINITE, **EMPTY}.items() if x.dim() >= 2])
def test_initial_facts(name):
    w = {**FINITE, **EMPTY}[name]
    with untouched(w):
        facts = kernels.initial_facts(w)
    x = wide(w)
    assert facts["zero"] == (not x.any())
    assert facts["constant"] == (x.size == 0 or bool((x == x.flat[0]).all()))
    fan_in = int(np.prod(x.shape[1:]))
    assert (facts["fan_in"], facts["fan_out"]) == (fan_in, x.shape[0] * int(np.prod(x.shape[2:])))
    std = np.std(x, ddof=1) if x.size > 1 else 0.0
    assert close(facts["std"], std, 1e-4, 1e-6 * (np.abs(x).max() if x.size else 0) + 1e-44)
    assert facts["gain"] == pytest.approx(facts["std"] * fan_in**0.5)


@pytest.mark.parametrize("name", [n for n, x in BAD.items() if x.dim() >= 2])
def test_initial_facts_of_bad_weights_do_not_raise(name):
    facts = kernels.initial_facts(BAD[name])
    assert facts["zero"] is False
