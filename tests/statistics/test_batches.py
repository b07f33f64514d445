"""Kernels of inputs, predictions and targets, against float64 numpy and brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tensors import ANY, BAD, NAN, NASTY, close, made, rms, tensors, untouched, wide

from gradoctor import statistics as kernels
from gradoctor.statistics.batches import hash_of

FORTY = settings(max_examples=40, deadline=None)


# ---- inputs --------------------------------------------------------------------------------------
def named(columns, values):
    return dict(zip(columns, values.tolist(), strict=True))


def check_input(x: torch.Tensor) -> None:
    with untouched(x):
        got = named(kernels.INPUT, kernels.summarise_input(x))
    values = wide(x)
    if not values.size:
        assert all(math.isnan(v) for v in got.values())
        return
    finite = values[np.isfinite(values)]
    top = np.abs(finite).max() if finite.size else 0
    assert close(got["input.absmax"], np.abs(values).max())
    assert got["input.nonfinite"] == values.size - finite.size
    if top < 1e38:
        assert close(got["input.mean"], finite.mean() if finite.size else NAN, 1e-5, 1e-6 * top)
        std = finite.std(ddof=1) if finite.size > 1 else NAN
        assert close(got["input.std"], std, 1e-5, 1e-6 * top)


@pytest.mark.parametrize("name", ANY)
def test_input(name):
    check_input(ANY[name])


@given(tensors(dims=(1, 4)))
@FORTY
def test_input_is_that_of_float64(x):
    check_input(x)


def test_ids_have_a_hash_and_duplicates_but_no_moments():
    ids = torch.tensor([[1, 2, 3], [4, 5, 6], [1, 2, 3], [7, 8, 9]])
    got = named(kernels.INPUT, kernels.summarise_input(ids))
    assert math.isnan(got["input.mean"])
    assert got["input.nonfinite"] == 0
    assert got["input.duplicates"] == 0.5
    assert got["input.hash"] == float(hash_of(ids))
    assert kernels.summarise_input(torch.ones(3, 2, dtype=torch.bool))[5] == 1


def test_sparse_and_complex_inputs_do_not_raise():
    kernels.summarise_input(torch.eye(5).to_sparse())
    kernels.summarise_input(torch.complex(made((4, 3), 0), made((4, 3), 1)))


@given(st.lists(st.integers(0, 5), min_size=2, max_size=20), st.booleans())
@FORTY
def test_duplicates_are_rows_that_occur_again(rows, one_hot):
    table = (torch.eye(6, 40) if one_hot else made((6, 300), 0))[rows]
    got = float(kernels.summarise_input(table)[kernels.INPUT.index("input.duplicates")])
    assert got == pytest.approx(np.mean([rows.count(r) > 1 for r in rows]))


@given(tensors(dims=(1, 2), dtypes=(torch.float32, torch.float16)), st.data())
@FORTY
def test_a_hash_tells_batches_apart(x, data):
    with untouched(x):
        one = float(hash_of(x))
    assert one == float(hash_of(x.clone())) == int(one)
    assert 0 <= one < 2**24
    place = data.draw(st.integers(0, x.numel() - 1))
    other = x.clone().contiguous().reshape(-1)
    other[place] = other[place] * 2 + 1 if torch.isfinite(other[place] * 2) else 0
    if not torch.equal(other, x.reshape(-1)):
        assert float(hash_of(other)) != one


def test_a_hash_depends_on_the_order_and_seldom_collides():
    x = made((8, 5), 0)
    assert float(hash_of(x)) != float(hash_of(x.flip(0)))
    assert float(hash_of(torch.arange(9))) != float(hash_of(torch.arange(9).flip(0)))
    assert len({float(hash_of(made((4, 4), seed))) for seed in range(400)}) >= 399


@pytest.mark.parametrize(
    "shape", [(16, 5), (7, 3, 4, 4), (5, 6, 3)], ids=["features", "channels", "sequence"]
)
def test_feature_moments(shape):
    moments = kernels.FeatureMoments()
    assert moments.summary().isnan().all()
    batches = [made(shape, seed) * 3 + 1e4 for seed in range(5)] + [made((2, *shape[1:]), 9)]
    for batch in batches:
        with untouched(batch):
            moments.add(batch)
    x = np.concatenate([wide(b) for b in batches])
    x = np.moveaxis(x, 1, -1) if x.ndim == 4 else x
    rows = x.reshape(-1, x.shape[-1])
    mean, std = rows.mean(0), rows.std(0)
    wanted = [np.abs(mean).max(), std.max(), (np.abs(mean) / std).max(), std.max() / std.min()]
    assert moments.summary().tolist() == pytest.approx([*wanted, 5 * shape[0] + 2], rel=1e-5)


def test_constant_features_do_not_count_as_badly_scaled():
    moments = kernels.FeatureMoments()
    x = made((50, 3), 0)
    x[:, 1] = 7
    moments.add(x)
    _, _, offset, spread, _ = moments.summary().tolist()
    assert offset < 1
    assert spread < 2
    constant = kernels.FeatureMoments()
    constant.add(torch.full((9, 2), 5.0))
    assert math.isnan(constant.summary()[3])


@pytest.mark.parametrize("name", ANY)
def test_feature_moments_take_anything(name):
    moments = kernels.FeatureMoments()
    moments.add(ANY[name])
    moments.add(ANY[name])
    assert moments.summary().shape == (5,)


# ---- predictions ---------------------------------------------------------------------------------
def prediction(x: np.ndarray, classes: bool) -> list[float]:
    if not np.isfinite(x).all() or not x.size:
        return [x.mean() if x.size else NAN, rms(x), NAN]
    ratio = NAN
    if x.ndim and x.shape[0] > 1:
        rows = np.moveaxis(x, 1, -1).reshape(-1, x.shape[1]) if classes else x.reshape(len(x), -1)
        rows = rows / max(np.abs(x).max(), 1e-300)
        rows = rows - rows.mean(1, keepdims=True) if classes else rows
        ratio = rows.var(0).mean() / max((rows**2).mean(), 1e-30)
    return [x.mean(), rms(x), ratio]


@pytest.mark.parametrize("classes", [True, False])
@pytest.mark.parametrize("name", ANY)
def test_prediction(name, classes):
    p = ANY[name]
    if name == "beyond float32":
        pytest.skip("predictions are judged as float32")
    with untouched(p):
        got = kernels.summarise_prediction(p, classes).tolist()
    x = wide(p)
    top = np.abs(x[np.isfinite(x)]).max(initial=0)
    for value, wanted in zip(got, prediction(x, classes and x.ndim >= 2), strict=True):
        assert close(value, wanted, 1e-3, 1e-5 * max(top, 1))


@given(tensors(dims=(2, 4), dtypes=(torch.float32,)), st.booleans())
@FORTY
def test_prediction_is_that_of_float64(p, classes):
    mean, size, ratio = kernels.summarise_prediction(p, classes).tolist()
    wanted = prediction(wide(p), classes)
    assert close(mean, wanted[0], 1e-4, 1e-5 * np.abs(wide(p)).max())
    assert close(size, wanted[1])
    assert close(ratio, wanted[2], 1e-3, 1e-5)


def test_the_shapes_of_probabilities():
    scores = made((40, 6), 0)
    simplex, unit, log = kernels.SHAPE.index, kernels.SHAPE.index, kernels.SHAPE.index
    shape = kernels.summarise_probability_shape
    assert shape(scores.softmax(1))[simplex("lossfn.simplex")] == 1
    assert shape(scores.log_softmax(1))[log("lossfn.logprob")] == 1
    assert shape(scores)[unit("lossfn.unit")] == pytest.approx(
        np.mean((wide(scores) >= 0) & (wide(scores) <= 1)), abs=1e-6
    )
    assert shape(scores)[:1].item() == 0
    assert shape(scores.sigmoid())[unit("lossfn.unit")] == 1
    assert shape(scores.sigmoid())[simplex("lossfn.simplex")] == 0
    images = made((3, 4, 5, 5), 1).softmax(1)
    assert shape(images)[simplex("lossfn.simplex")] == 1
    assert shape(images.movedim(1, -1), class_dim=-1)[simplex("lossfn.simplex")] == 1
    half = torch.cat([scores.softmax(1), scores + 10])
    assert shape(half)[simplex("lossfn.simplex")] == 0.5


@pytest.mark.parametrize("name", ANY)
def test_probability_shape_takes_anything(name):
    with untouched(ANY[name]):
        got = kernels.summarise_probability_shape(ANY[name])
    assert got.shape == (3,)
    assert ANY[name].numel() == 0 or bool(((got >= 0) & (got <= 1)).all())


# ---- targets and labels --------------------------------------------------------------------------
@pytest.mark.parametrize("name", ANY)
def test_target(name):
    t = ANY[name]
    with untouched(t):
        got = named(kernels.TARGET, kernels.summarise_target(t))
    x = wide(t)
    finite = x[np.isfinite(x)]
    assert got["target.nonfinite"] == x.size - finite.size
    if not finite.size:
        assert math.isnan(got["target.mean"])
        return
    top = np.abs(finite).max()
    assert close(got["target.min"], finite.min())
    assert close(got["target.max"], finite.max())
    if top < 1e38:
        assert close(got["target.mean"], finite.mean(), 1e-5, 1e-6 * top)
        assert close(got["target.std"], finite.std(), 1e-5, 1e-6 * top)


def test_ignored_targets_do_not_count():
    t = torch.tensor([[1, -100], [3, 2]])
    got = named(kernels.TARGET, kernels.summarise_target(t, -100))
    assert (got["target.min"], got["target.max"], got["target.mean"]) == (1, 3, 2)


def entropy(counts: np.ndarray) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())


@given(st.lists(st.lists(st.integers(-2, 6), max_size=20), min_size=1, max_size=5))
@FORTY
def test_label_counts(batches):
    counts = kernels.LabelCounts(5, ignore_index=-1)
    seen = [label for batch in batches for label in batch if 0 <= label < 5]
    for batch in batches:
        labels = torch.tensor(batch, dtype=torch.long)
        with untouched(labels):
            counts.add(labels)
        kept = np.bincount([b for b in batch if 0 <= b < 5], minlength=5)
        if kept.sum():
            assert float(counts.batch_entropy(labels)) == pytest.approx(entropy(kept), abs=1e-6)
    wanted = np.bincount(seen, minlength=5)
    assert counts.counts.tolist() == wanted.tolist()
    assert counts.seen == sum(map(len, batches))
    if seen:
        assert float(counts.entropy()) == pytest.approx(entropy(wanted), abs=1e-6)
        guess = np.array([0.1, 0.2, 0.3, 0.3, 0.1])
        share = wanted / wanted.sum()
        divergence = sum(p * math.log(p / q) for p, q in zip(share, guess, strict=True) if p)
        assert float(counts.kl_to(torch.tensor(guess))) == pytest.approx(divergence, abs=1e-6)


@pytest.mark.parametrize("counted", [[3, 1], [5, 4, 1], [7, 0, 2], [4]])
@pytest.mark.parametrize("n", [1, 2, 5])
def test_the_expected_entropy_of_a_batch_is_that_of_all_batches(counted, n):
    counts = kernels.LabelCounts(len(counted))
    counts.add(torch.repeat_interleave(torch.arange(len(counted)), torch.tensor(counted)))
    share = np.array(counted) / sum(counted)
    wanted = 0.0
    for batch in itertools.product(range(len(counted)), repeat=n):
        chance = float(np.prod(share[list(batch)]))
        wanted += chance * entropy(np.bincount(batch, minlength=len(counted)))
    assert float(counts.expected_batch_entropy(n)) == pytest.approx(wanted, abs=1e-6)


def test_the_expected_entropy_of_a_big_batch_meets_the_exact_one():
    counts = kernels.LabelCounts(10)
    counts.add(torch.arange(10).repeat_interleave(torch.arange(1, 11)))
    exact, rough = counts.expected_batch_entropy(512), counts.expected_batch_entropy(513)
    assert float(exact) == pytest.approx(float(rough), abs=1e-3)
    assert math.isnan(kernels.LabelCounts(3).expected_batch_entropy(4))
    assert math.isnan(kernels.LabelCounts(3).entropy())


@pytest.mark.parametrize("name", [*NASTY, *BAD])
def test_no_kernel_of_batches_changes_its_input(name):
    x = ANY[name]
    with untouched(x):
        kernels.summarise_input(x)
        kernels.summarise_prediction(x, True)
        kernels.FeatureMoments().add(x)
        baseline = kernels.Baseline("mse_loss")
        baseline.add(x, None)
        baseline.value()
