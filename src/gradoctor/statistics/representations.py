"""Kernels of what a batch is turned into: latent distributions, embeddings, generated samples."""

from __future__ import annotations

import torch

from gradoctor.statistics._tensors import values_of

LATENT = ("latent.kl", "latent.collapsed", "latent.active")
EMBEDDING = ("embedding.spread", "embedding.rank")
SAMPLES = ("samples.diversity", "samples.distance", "samples.separation")

ROWS = 256
"""Samples of a batch that are looked at."""
WIDTH = 4096
"""Elements of a sample that are looked at."""
COLLAPSED = 0.01
"""Nats of a latent dimension below which it says nothing of the sample."""
ACTIVE = 0.01
"""Variance over samples of a latent dimension's mean above which it is in use."""


def _rows(x: torch.Tensor, width: int = WIDTH) -> torch.Tensor:
    """A fixed sample ``[n, d]`` of a batch in float32, n up to 256."""
    flat = values_of(x).reshape(x.shape[0], -1)
    rows, columns = -(-flat.shape[0] // ROWS), -(-flat.shape[1] // width)
    return flat[::rows, ::columns].float()


@torch.no_grad()
def summarise_latent(mean: torch.Tensor, std: torch.Tensor) -> torch.Tensor:
    """The columns ``LATENT``, float32 ``[3]``, of normal distributions, one for each sample.

    Args:
        mean, std: ``[batch, ...]``, of one shape.

    Returns:
        The divergence from N(0, 1) in nats (summed over dimensions, mean over the batch); the
        share of dimensions where it is below 0.01; the share whose mean varies by more than 0.01.
    """
    mu, sigma = _rows(mean), _rows(std).abs().clamp_min(1e-20)
    divergence = (0.5 * (mu**2 + sigma**2 - 1) - sigma.log()).mean(0)
    active = mu.var(0) > ACTIVE
    every = mean[0].numel() / max(1, divergence.numel())
    return torch.stack(
        [divergence.sum() * every, (divergence < COLLAPSED).float().mean(), active.float().mean()]
    )


@torch.no_grad()
def summarise_directions(rows: torch.Tensor) -> torch.Tensor:
    """The columns ``EMBEDDING``, float32 ``[2]``, of embeddings ``[batch, d]``.

    Returns:
        The root of the variance of the normalised rows, summed over dimensions (1: directions
        cancel, 0: all the same); and how many dimensions it is spread over
        ((trace C)^2 / trace C^2 of their covariance C).
    """
    unit = torch.nn.functional.normalize(_rows(rows), dim=1)
    centred = unit - unit.mean(0)
    total = centred.square().sum()
    wide = centred.shape[1] > centred.shape[0]
    gram = centred @ centred.T if wide else centred.T @ centred
    rank = total.square() / gram.square().sum().clamp_min(1e-30)
    return torch.stack([(total / len(unit)).sqrt(), rank])


@torch.no_grad()
def batch_moments(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean ``[d]`` of the samples of a batch, and their variance summed over elements (0-dim)."""
    rows = _rows(x)
    mean = rows.mean(0)
    return mean, (rows - mean).square().sum() / max(1, len(rows) - 1)


@torch.no_grad()
def sample_scores(output: torch.Tensor) -> torch.Tensor:
    """One number a sample of what a critic gave, ``[n]``: the mean of its elements."""
    return _rows(output).mean(1)


@torch.no_grad()
def compare_samples(
    real: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
    made: tuple[torch.Tensor, torch.Tensor, torch.Tensor],
) -> torch.Tensor:
    """The columns ``SAMPLES``, float32 ``[3]``, of a batch of data and a generated one.

    Args:
        real, made: mean, variance (``batch_moments``) and the critic's scores of each.

    Returns:
        The ratio of their standard deviations; the distance of their means over the standard
        deviation of the data; the share of pairs in which the critic gives the real sample more.
    """
    (mean, variance, scores), (mean_made, variance_made, scores_made) = real, made
    spread = variance.clamp_min(1e-30)
    ahead = scores[:, None] - scores_made[None]
    return torch.stack(
        [
            (variance_made / spread).sqrt(),
            ((mean - mean_made).square().sum() / spread).sqrt(),
            (ahead > 0).float().mean() + 0.5 * (ahead == 0).float().mean(),
        ]
    )
