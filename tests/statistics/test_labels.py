"""Kernels of targets beside the input's ids, the predicted classes and the output's range."""

from __future__ import annotations

import math

import pytest
import torch

from gradoctor import statistics as kernels
from gradoctor.statistics.labels import padding_of


def named(columns, values):
    return dict(zip(columns, values.tolist(), strict=True))


def test_reach():
    target = torch.tensor([-2.0, -1.0, 0.0, 1.0])
    got = named(kernels.REACH, kernels.summarise_reach(target, 0.0, math.inf))
    assert got == {"target.outside": 0.5, "target.beyond": 1.25}
    inside = kernels.summarise_reach(torch.tensor([0.0, 1.0, 1.0005]), 0.0, 1.0)
    assert inside[0] == 0  # rounding is not out of reach


class TestOffsets:
    text = torch.randint(0, 50, (8, 21), generator=torch.Generator().manual_seed(0))

    def shares(self, ids, labels, ignore=-100):
        return named(kernels.OFFSETS, kernels.compare_with_ids([ids], labels, ignore))

    @pytest.mark.parametrize(
        ("shift", "name"),
        [(0, "copy"), (1, "next"), (2, "after_next"), (-1, "previous")],
    )
    @pytest.mark.parametrize("transposed", [False, True])
    def test_each_shift(self, shift, name, transposed):
        ids, labels = self.text[:, 1:19], self.text[:, 1 + shift : 19 + shift]
        if transposed:
            ids, labels = ids.T, labels.T
        got = self.shares(ids, labels.reshape(-1))
        assert got[f"label.{name}"] == 1
        assert max(v for k, v in got.items() if k != f"label.{name}") < 0.2

    def test_the_loss_drops_the_last_position(self):
        got = self.shares(self.text, self.text[:, 1:].reshape(-1))
        assert got["label.next"] == 1

    def test_the_best_candidate_counts(self):
        other = torch.zeros_like(self.text)
        got = kernels.compare_with_ids([other, self.text], self.text, -100)
        assert got[0] == 1

    def test_ignored_labels_do_not_count(self):
        labels = torch.where(torch.rand(self.text.shape) < 0.5, self.text, -100)
        assert self.shares(self.text, labels)["label.copy"] == 1

    def test_labels_of_whole_rows_belong_to_no_token(self):
        assert kernels.compare_with_ids([self.text], torch.zeros(8, dtype=torch.long), -100) is None
        assert kernels.compare_with_ids([], self.text, -100) is None

    def test_padding_that_counts(self):
        ids = torch.tensor([[5, 6, 7, 0, 0, 0], [3, 0, 0, 0, 0, 0], [1, 2, 3, 4, 5, 6]])
        assert padding_of(ids).sum() == 8
        assert kernels.padding_fraction(ids).item() == pytest.approx(8 / 18)
        labels = torch.cat([ids[:, 1:], torch.zeros(3, 1, dtype=torch.long)], 1)
        assert self.shares(ids, labels)["label.padding"] == pytest.approx(8 / 18)
        assert self.shares(ids, labels, ignore=0)["label.padding"] == 0


def test_log_partition():
    scores = torch.randn(50, 7)
    assert kernels.log_partition(scores).item() == pytest.approx(
        scores.exp().sum(1).log().mean().item(), abs=1e-5
    )


class TestClasses:
    def test_a_rare_class_that_is_never_said(self):
        tally = kernels.ClassTally(2)
        labels = torch.tensor([0] * 95 + [1] * 5)
        tally.add(torch.zeros(100, dtype=torch.long), labels)
        got = named(kernels.CLASSES, tally.summary())
        assert got["class.imbalance"] == 19
        assert (got["class.rare_recall"], got["class.frequent_recall"]) == (0, 1)
        assert got["class.rare_share"] == 0
        assert got["class.rare_seen"] == 5

    def test_old_batches_fade(self):
        tally, labels = kernels.ClassTally(2), torch.tensor([0] * 40 + [1] * 2)
        for _ in range(60):
            tally.add(torch.zeros(42, dtype=torch.long), labels)
        for _ in range(60):
            tally.add(labels, labels)
        got = named(kernels.CLASSES, tally.summary())
        assert got["class.rare_recall"] > 0.99
        assert got["class.rare_seen"] == pytest.approx(20, rel=0.01)

    def test_even_classes_have_no_rare_ones(self):
        tally = kernels.ClassTally(4)
        labels = torch.arange(4).repeat(5)
        tally.add(labels, labels)
        got = named(kernels.CLASSES, tally.summary())
        assert got["class.imbalance"] == 1
        assert math.isnan(got["class.rare_recall"])

    def test_labels_out_of_range_are_left_out(self):
        tally = kernels.ClassTally(3)
        tally.add(torch.tensor([0, 1, 2, 2]), torch.tensor([0, 1, 2, -100]))
        assert tally.summary()[0] == 1
