"""The experiments on normalisation, and the parts of the dear ones."""

from __future__ import annotations

import math

import pytest
import torch
from trials import check, numbers

pytest.importorskip("sklearn")

from torch.nn import BatchNorm1d

from gradoctor.experiments import normalisation_batch as batch
from gradoctor.experiments import normalisation_dropout as dropout
from gradoctor.experiments import normalisation_inputs as inputs
from gradoctor.experiments import normalisation_noise as noise
from gradoctor.experiments import normalisation_weights as weights
from gradoctor.experiments._data import breast_cancer, digits, raw_breast_cancer
from gradoctor.experiments._networks import HE, Stack, usual

DEAR = {30, 32, 33, 34, 35, 36, 37, 39, 40}


@pytest.mark.parametrize("number", numbers("normalisation", DEAR))
def test_the_verdict_is_the_expected_one(number):
    check(number)


def test_raw_measures_differ_in_scale():
    raw = raw_breast_cancer().x
    assert float(raw.std(0).max() / raw.std(0).min()) > 1e4
    assert float(breast_cancer().x.std(0).max()) == pytest.approx(1, abs=1e-5)


def test_raw_inputs_saturate_and_swallow():
    assert inputs.saturated(inputs.raw_digits(), 0) > 0.9
    assert inputs.saturated(digits(), 0) < 0.1
    assert inputs.swallowed(raw_breast_cancer(), 0) < 1e-3
    assert inputs.swallowed(breast_cancer(), 0) > 0.1


def test_a_window_of_local_responses():
    assert [inputs.neighbours(size) for size in (1, 4, 5)] == [(1, 1), (4, 1), (5, 1)]
    ones = torch.ones(1, 3, 1, dtype=torch.float64)
    found = inputs.response(ones, 3, 1 / 3, 1.0, 0.0)[0, :, 0]
    assert found.tolist() == pytest.approx([1.5, 1.0, 1.5])


def test_labels_are_drawn_anew():
    right, wrong = (batch.few_digits(share, 0) for share in (0.0, 0.3))
    assert torch.equal(right.x, wrong.x)
    assert 60 < int((right.y != wrong.y).sum()) <= 90


def test_batch_norm_bears_a_large_rate():
    assert batch.learns([batch.final_loss(BatchNorm1d, 3.0, 0)])
    assert batch.final_loss(None, 3.0, 0) == math.inf
    assert not batch.learns([math.inf, 0.0])


def test_how_batches_are_made_up():
    labels = digits().y
    kinds = {kind: [*batch.order(kind, 8, 2, 0)] for kind in batch.KINDS}
    for found in kinds.values():
        assert len(found) == 2 * (len(labels) // 8)
        assert len(torch.cat(found[: len(found) // 2]).unique()) == len(labels) // 8 * 8
    groups = {kind: [frozenset(b.tolist()) for b in found] for kind, found in kinds.items()}
    half = len(labels) // 8
    assert set(groups["fixed"][:half]) == set(groups["fixed"][half:])
    assert set(groups["anew"][:half]).isdisjoint(groups["anew"][half:])
    pure = sum(len(labels[taken].unique()) == 1 for taken in kinds["class"])
    assert pure > 0.9 * len(kinds["class"])


def test_statistics_in_time():
    assert noise.stored("none", 8) == 0
    assert noise.stored("shared", 8) == 2 * 32
    assert noise.stored("each", 8) == 8 * 2 * 32
    net = noise.Recurrent("each", 8, 0)
    assert net(torch.zeros(3, 64)).shape == (3, 10)


def test_only_batch_norm_hears_its_companions():
    assert noise.companions_noise("bn", 4, 0, draws=5) > 0.1
    assert noise.companions_noise("wn", 4, 0, draws=5) < 1e-5
    assert noise.companions_noise("gn", 4, 0, draws=5) < 1e-5


def test_the_ring_has_eight_places():
    points = noise.ring(400, torch.Generator().manual_seed(0))
    assert float(points.norm(dim=1).mean()) == pytest.approx(1, abs=0.02)
    places = (torch.atan2(points[:, 1], points[:, 0]) / (math.pi / 4)).round().remainder(8)
    assert len(places.unique()) == 8


def test_learners_of_the_noise_sensitive_tasks_learn():
    assert noise.policy("bn", 0, steps=150) < 0.5
    assert noise.autoencoder("none", 0, steps=100) < noise.autoencoder("none", 0, steps=1)
    assert noise.adversary("none", 0) < noise.adversary("none", 0, steps=1)


def test_weight_norm_computes_the_same_at_first():
    plain = Stack(3, "relu", HE)
    before = plain(digits().x[:8])
    assert torch.allclose(weights.weight_normed(plain)(digits().x[:8]), before, atol=1e-5)


def test_weight_norm_keeps_a_bad_scale_and_the_scale_of_inputs():
    assert weights.end("wn", usual, 0) > 2
    assert weights.widths("wn", 10.0, 0) == pytest.approx(
        10 * weights.widths("wn", 1.0, 0), rel=1e-4
    )
    assert weights.widths("bn", 10.0, 0) == pytest.approx(1, abs=0.01)
    assert weights.stored("wn") == 0


def test_the_variance_behind_dropout():
    assert dropout.shift(0.5, 0) == pytest.approx(dropout.told_shift(0.5), abs=0.01)
    assert dropout.told_shift(0.0) == 1
    assert dropout.running_error(0.0, 0) == pytest.approx(1, abs=0.03)
    assert dropout.running_error(0.5, 0) == pytest.approx(dropout.told_shift(0.5), abs=0.03)
