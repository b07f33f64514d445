"""Statistics of what an adaptive optimizer remembers: its second moment beside the gradient."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch.nn.utils.rnn import pad_sequence

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
    if not whole:
        return table
    known = [m for i in whole if (m := moments[i]) is not None]
    v = pad_sequence([_some(m.squares, device) / m.correction for m in known], batch_first=True)
    seen = [_some(g, device) for i in whole if (g := grads[i]) is not None]
    squares = pad_sequence(seen, batch_first=True).square()  # padded with zeros, as v is
    epsilon = torch.tensor([[m.epsilon] for m in known], dtype=torch.float64, device=device)
    sizes = torch.tensor([g.numel() for g in seen], device=device)
    alive = v > 0
    small = (v < (DOMINATED * epsilon).square().float()) & alive
    surprise = squares / v.clamp_min(epsilon.square().clamp_min(1e-38).float())
    share = small.sum(1) / alive.sum(1).clamp_min(1)
    table[whole] = torch.stack([share, (surprise.sum(1) / sizes).sqrt()], 1)
    return table


def _some(x: torch.Tensor, device: torch.device) -> torch.Tensor:
    return sample(values_of(x), ELEMENTS).to(device, torch.float32)
