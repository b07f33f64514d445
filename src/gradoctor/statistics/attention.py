"""Statistics of attention: how large its logits are and how far its rows spread."""

from __future__ import annotations

import math

import torch
from torch.nn import functional

ATTENTION = ("attention.entropy", "attention.logit_max")
HEADS, QUERIES = 8, 64
MASKED = -5e3
"""A logit below this was written by a mask: -inf, -1e9, the least of a half-precision type."""


def chosen(count: int, most: int) -> list[int]:
    """At most ``most`` indices below ``count``, evenly spread."""
    stride = -(-count // most)
    return list(range(0, count, stride))


@torch.no_grad()
def summarise_attention(logits: torch.Tensor, visible: torch.Tensor | None = None) -> torch.Tensor:
    """The columns ``ATTENTION`` of logits ``[N, queries, keys]``, float32 ``[2]``.

    Entropy is a row's over the log of the keys it may see, 1 when it looks at all alike; rows that
    see fewer than half of what the longest sees say little and are left out.

    Args:
        visible: ``[N, queries, keys]``, false where a mask hides the key.
    """
    logits = logits.float()
    seen = logits > MASKED if visible is None else visible & (logits > MASKED)
    hidden = logits.masked_fill(~seen, float("-inf"))
    logp = functional.log_softmax(hidden, -1).masked_fill(~seen, 0.0)
    keys = seen.sum(-1)
    entropy = -(logp.exp() * logp * seen).sum(-1) / keys.clamp_min(2).log()
    judged = (keys >= 2) & (2 * keys >= keys.max())
    mean = (entropy * judged).sum() / judged.sum()
    return torch.stack([mean, logits.masked_fill(~seen, 0.0).abs().max()])


def sampled(logits: torch.Tensor) -> torch.Tensor:
    """A sample of logits ``[..., queries, keys]``: at most ``[8, 64, keys]``."""
    flat = logits.detach().reshape(-1, *logits.shape[-2:])
    return flat[chosen(flat.shape[0], HEADS)][:, chosen(flat.shape[1], QUERIES)]


@torch.no_grad()
def scaled_products(
    query: torch.Tensor,
    key: torch.Tensor,
    mask: torch.Tensor | None,
    causal: bool,
    scale: float | None,
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """A sample of ``scaled_dot_product_attention``: logits before the mask, and what it shows.

    Args:
        query: ``[..., L, E]``.
        key: ``[..., S, E]`` with the query's leading dimensions; grouped heads give None.

    Returns:
        Logits and visible keys, both ``[N, Q, S]``.
    """
    lead, length, keys = query.shape[:-2], query.shape[-2], key.shape[-2]
    if key.shape[:-2] != lead:
        return None
    heads, rows = chosen(math.prod(lead), HEADS), chosen(length, QUERIES)
    place = torch.unravel_index(torch.tensor(heads, device=query.device), lead or (1,))
    q, k = (x.detach().float() if lead else x.detach().float()[None] for x in (query, key))
    factor = 1.0 / math.sqrt(query.shape[-1]) if scale is None else scale
    logits = q[place][:, rows] @ k[place].transpose(-1, -2) * factor
    at = torch.tensor(rows, device=query.device)
    visible = torch.ones_like(logits, dtype=torch.bool)
    if causal:
        visible &= torch.arange(keys, device=query.device) <= at[:, None]
    if mask is not None:
        given = mask.expand(*(lead or (1,)), length, keys)[place][:, rows]
        visible &= given if given.dtype == torch.bool else given > MASKED
    return logits, visible


@torch.no_grad()
def projected_products(
    query: torch.Tensor,
    key: torch.Tensor,
    weight: torch.Tensor,
    bias: torch.Tensor | None,
    heads: int,
) -> tuple[torch.Tensor, list[int], list[int]]:
    """Logits ``[B, heads, Q, S]`` of ``nn.MultiheadAttention`` for a few samples and queries.

    Args:
        query, key: ``[L, B, E]`` and ``[S, B, E]``.
        weight: ``[3 E, E]``, the stacked projections; ``bias`` likewise.

    Returns:
        The logits, the samples taken, the queries taken.
    """
    width = query.shape[-1]
    samples, rows = chosen(query.shape[1], 2), chosen(query.shape[0], QUERIES)
    wq, wk = weight.detach().float()[: 2 * width].chunk(2)
    bq, bk = (None, None) if bias is None else bias.detach().float()[: 2 * width].chunk(2)
    q = functional.linear(query.detach().float()[rows][:, samples], wq, bq)
    k = functional.linear(key.detach().float()[:, samples], wk, bk)
    q, k = (x.reshape(*x.shape[:2], heads, -1).permute(1, 2, 0, 3) for x in (q, k))
    return q @ k.transpose(-1, -2) / math.sqrt(width // heads), samples, rows


@torch.no_grad()
def loads(choices: torch.Tensor, experts: int) -> torch.Tensor:
    """Share of the choices that fell on each of ``experts``, ``[experts]``."""
    flat = choices.detach().reshape(-1)
    flat = flat[:: -(-flat.numel() // 4096)]
    return (flat[:, None] == torch.arange(experts, device=flat.device)).float().mean(0)
