"""Statistics of normalisation layers: what they use in evaluation against what they see."""

from __future__ import annotations

import torch

NORM_GAP = ("norm.mean_gap", "norm.var_gap", "norm.var_ratio")
NORM_GAP_EVAL = ("norm.eval_mean_gap", "norm.eval_var_gap", "norm.eval_var_ratio")
MOST = 1 << 20
"""Elements of a batch that are looked at; of larger ones only the first samples."""
ROWS = 256

_NAN = float("nan")


def batch_size_within(x: torch.Tensor, most: int = MOST) -> int:
    """The samples of a batch that have together at most ``most`` elements; two at least."""
    return max(2, most // max(1, x.numel() // max(1, x.shape[0])))


@torch.no_grad()
def summarise_norm_gap(
    x: torch.Tensor,
    running_mean: torch.Tensor,
    running_var: torch.Tensor,
    eps: float,
    momentum: float = 0.0,
) -> torch.Tensor:
    """The columns ``NORM_GAP``, float32 ``[3]``: medians over the channels, NaN for one sample.

    Args:
        x: what the norm was given, ``[batch, channels, ...]``.
        running_mean, running_var: ``[channels]``, what it uses in evaluation.
        momentum: the share of this batch in them already, 0 where they were not updated by it.
    """
    some = x.detach()[: batch_size_within(x)].float()
    count = some.numel() // max(1, some.shape[1])
    if count < 2:
        return torch.full((3,), _NAN, device=x.device)
    var, mean = torch.var_mean(some, dim=[0, *range(2, some.dim())], correction=1)
    old_mean, old_var = running_mean.float(), running_var.float()
    if 0.0 < momentum < 0.99 and some.shape[0] == x.shape[0]:
        old_mean = (old_mean - momentum * mean) / (1.0 - momentum)
        old_var = ((old_var - momentum * var) / (1.0 - momentum)).clamp_min(0.0)
    shift = ((old_mean - mean).abs() / (var + eps).sqrt()).median()
    ratio = torch.log2((var + eps) / (old_var + eps))
    return torch.stack([shift, ratio.abs().median(), ratio.median()])


@torch.no_grad()
def epsilon_share(x: torch.Tensor, dims: list[int], eps: float) -> torch.Tensor:
    """Median of ``eps / (variance + eps)`` over what is normalised together, float32 ``[1]``.

    Args:
        x: what the norm was given, ``[batch, ...]``.
        dims: the dimensions that one mean and variance are taken over.
    """
    rows = batch_size_within(x) if 0 in dims else ROWS
    var = x.detach()[:rows].float().var(dim=dims, correction=0)
    return (eps / (var + eps)).median().reshape(1)


@torch.no_grad()
def small_gains(gain: torch.Tensor, size: float = 0.01) -> torch.Tensor:
    """Fraction of a norm's gains of a magnitude below ``size``, float32 ``[1]``."""
    return (gain.detach().abs() < size).float().mean().reshape(1)
