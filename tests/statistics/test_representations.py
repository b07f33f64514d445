"""Kernels of latent distributions, embeddings and generated samples."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from gradoctor import statistics as kernels


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def named(columns, values):
    assert values.dtype == torch.float32
    return dict(zip(columns, values.tolist(), strict=True))


class TestLatent:
    def test_the_divergence_is_that_of_torch(self):
        mean, std = drawn(64, 5), drawn(64, 5, seed=1).exp()
        got = named(kernels.LATENT, kernels.summarise_latent(mean, std))
        right = kl_divergence(Normal(mean, std), Normal(0.0, 1.0)).sum(1).mean()
        assert got["latent.kl"] == pytest.approx(float(right), rel=1e-5)
        assert got["latent.collapsed"] == 0
        assert got["latent.active"] == 1

    def test_dimensions_that_are_the_prior(self):
        mean, std = 0.01 * drawn(64, 4), torch.ones(64, 4)
        mean[:, 0] = drawn(64, seed=3)
        got = named(kernels.LATENT, kernels.summarise_latent(mean, std))
        assert got["latent.collapsed"] == 0.75
        assert got["latent.active"] == 0.25

    def test_wide_latents_are_sampled_but_sums_are_whole(self):
        mean, std = drawn(16, 2, 64, 64), torch.full((16, 2, 64, 64), 0.5)
        got = named(kernels.LATENT, kernels.summarise_latent(mean, std))
        right = kl_divergence(Normal(mean, std), Normal(0.0, 1.0)).flatten(1).sum(1).mean()
        assert got["latent.kl"] == pytest.approx(float(right), rel=0.05)


class TestDirections:
    def test_directions_that_cancel(self):
        got = named(kernels.EMBEDDING, kernels.summarise_directions(drawn(4096, 16)))
        assert got["embedding.spread"] == pytest.approx(1, abs=0.02)
        assert got["embedding.rank"] == pytest.approx(16, rel=0.1)

    @pytest.mark.parametrize("width", [16, 600])
    def test_directions_that_are_all_the_same(self, width):
        rows = torch.ones(64, width) + 0.01 * drawn(64, width)
        got = named(kernels.EMBEDDING, kernels.summarise_directions(rows * drawn(64, 1).exp()))
        assert got["embedding.spread"] == pytest.approx(0.01, rel=0.1)

    def test_a_line(self):
        rows = drawn(64, 1) * drawn(1, 32, seed=1) + 1e-4 * drawn(64, 32, seed=2)
        got = named(kernels.EMBEDDING, kernels.summarise_directions(rows))
        assert got["embedding.rank"] == pytest.approx(1, abs=0.01)

    def test_equal_rows_have_no_rank(self):
        values = kernels.summarise_directions(torch.ones(8, 8))
        assert torch.isfinite(values).all()
        assert values[0] == 0


def taken(x, scores):
    return (*kernels.batch_moments(x), kernels.sample_scores(scores))


class TestSamples:
    def test_the_same_distribution(self):
        real = taken(drawn(256, 2, 4, 4), drawn(256, 1, seed=1))
        made = taken(drawn(256, 2, 4, 4, seed=2), drawn(256, 1, seed=3))
        got = named(kernels.SAMPLES, kernels.compare_samples(real, made))
        assert got["samples.diversity"] == pytest.approx(1, abs=0.05)
        assert got["samples.distance"] < 0.15
        assert got["samples.separation"] == pytest.approx(0.5, abs=0.08)

    def test_one_sample_again_and_again(self):
        real = taken(drawn(64, 8), torch.ones(64, 1))
        made = taken(2.0 + 0.05 * drawn(64, 8, seed=2), torch.zeros(64, 1))
        got = named(kernels.SAMPLES, kernels.compare_samples(real, made))
        assert got["samples.diversity"] == pytest.approx(0.05, rel=0.2)
        assert got["samples.distance"] == pytest.approx(2.0, rel=0.2)
        assert got["samples.separation"] == 1


class TestDoubts:
    def summary(self, said, labels, classes=10, sure=6.0):
        tally = kernels.DoubtTally(classes)
        for part_said, part_labels in zip(said.split(100), labels.split(100), strict=True):
            tally.add(sure * torch.nn.functional.one_hot(part_said, classes), part_labels)
        return named(kernels.DOUBTS, tally.summary())

    def labels(self, n=3000, classes=10):
        return torch.randint(classes, (n,), generator=torch.Generator().manual_seed(5))

    def test_labels_changed_at_random(self):
        truth, labels = self.labels(), self.labels().clone()
        labels[:600] = torch.randint(10, (600,), generator=torch.Generator().manual_seed(6))
        order = torch.randperm(3000, generator=torch.Generator().manual_seed(7))
        got = self.summary(truth[order], labels[order])
        assert got["label.contradicted"] == pytest.approx(0.18, abs=0.04)
        assert got["label.undecided"] == 0
        assert abs(got["label.doubt_pattern"]) < 0.08

    def test_classes_that_look_alike(self):
        truth = self.labels()
        labels = torch.where(torch.arange(3000) % 5 == 0, (truth + 1) % 10, truth)
        assert self.summary(truth, labels)["label.doubt_pattern"] > 1.5

    def test_what_is_not_sure_contradicts_nothing(self):
        truth = self.labels()
        got = self.summary(truth, (truth + 1) % 10, sure=0.5)
        assert got["label.contradicted"] == 0
        assert got["label.undecided"] == 1
        assert got["label.doubt_pattern"] != got["label.doubt_pattern"]

    def test_ignored_labels_do_not_count(self):
        truth = self.labels()
        labels = torch.where(torch.arange(3000) % 2 == 0, -100, truth)
        got = self.summary(truth, labels)
        assert got["label.contradicted"] == got["label.undecided"] == 0
