"""Targets that have nothing to do with their inputs, and are else like those of a batch."""

from __future__ import annotations

from typing import Any

import torch

SHUFFLED = frozenset({
    "cross_entropy", "nll_loss", "binary_cross_entropy", "binary_cross_entropy_with_logits",
    "kl_div",
})  # fmt: skip
NOISE = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"})


def drawn(
    function: str, target: Any, ignored: int, generator: torch.Generator
) -> torch.Tensor | None:
    """Random targets for a loss function.

    Classes are shuffled among the samples (those ignored stay), and so are rows of soft labels;
    a regression gets normal noise of the targets' mean and standard deviation.

    Returns:
        A tensor like the target; None where there is nothing to tell apart, or the function has no
        targets of these kinds.
    """
    if not isinstance(target, torch.Tensor) or target.requires_grad or not target.dim():
        return None
    if function in NOISE:
        return _noise(target, generator)
    if function not in SHUFFLED:
        return None
    if target.is_floating_point():
        order = torch.randperm(target.shape[0], generator=generator).to(target.device)
        made = target[order]
    else:
        made = target.clone()
        counted = target != ignored
        values = target[counted]
        order = torch.randperm(values.numel(), generator=generator).to(target.device)
        made[counted] = values[order]
    return None if torch.equal(made, target) else made


def _noise(target: torch.Tensor, generator: torch.Generator) -> torch.Tensor | None:
    values = target.detach().float()
    spread = float(values.std()) if values.numel() > 1 else 0.0
    if not spread > 0:
        return None
    noise = torch.randn(target.shape, generator=generator).to(target.device)
    return (values.mean() + spread * noise).to(target.dtype)
