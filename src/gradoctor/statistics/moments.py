"""Statistics of what an adaptive optimizer remembers: its second moment beside the gradient."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from gradoctor.statistics._tensors import sample, values_of

MOMENTS = ("moment.epsilon_share", "moment.surprise")
ELEMENTS = 1024
"""Elements of each tensor that are looked at."""
DOMINATED = 10.0


@dataclass(frozen=True, slots=True)
class SecondMoment:
    """The running mean of squared gradients of one parameter.

    Attributes:
        squares: the running mean, of the parameter's shape.
        correction: what it is divided by (Adam's bias correction).
        epsilon: what is added to its root.
    """

    squares: torch.Tensor
    correction: torch.Tensor | float
    epsilon: float


@torch.no_grad()
def summarise_moments(
    moments: list[SecondMoment | None], grads: list[torch.Tensor | None]
) -> torch.Tensor:
    """The columns ``MOMENTS`` of each parameter, float32 ``[P, 2]``; NaN where either is missing.

    The share of elements whose root of the second moment is below ten times epsilon (of those that
    ever had a gradient), and the root of the mean of ``g^2 / max(v, eps^2)``: 1 when the gradients
    are as large as the optimizer remembers them.
    """
    whole = [
        i
        for i, (m, g) in enumerate(zip(moments, grads, strict=True))
        if m is not None and g is not None and m.squares.shape == g.shape
    ]
    device = grads[whole[0]].device if whole else torch.device("cpu")  # type: ignore[union-attr]
    table = torch.full((len(moments), len(MOMENTS)), float("nan"), device=device)
    for i in whole:
        moment, grad = moments[i], grads[i]
        assert moment is not None
        assert grad is not None
        v = sample(values_of(moment.squares), ELEMENTS).float() / moment.correction
        g = sample(values_of(grad), ELEMENTS).float()
        alive = v > 0
        count = alive.sum().clamp_min(1)
        small = (v < (DOMINATED * moment.epsilon) ** 2) & alive
        surprise = (g.square() / v.clamp_min(max(moment.epsilon**2, 1e-38))).mean().sqrt()
        table[i, 0] = small.sum() / count
        table[i, 1] = surprise
    return table
