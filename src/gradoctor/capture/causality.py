"""What keeps a position of a sequence from seeing later ones: masks and recurrence."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

from gradoctor.capture.recorder import Recorder

_ATTENTION = frozenset(
    {functional.scaled_dot_product_attention, functional.multi_head_attention_forward}
)
_MASKING = frozenset(
    {
        torch.Tensor.masked_fill, torch.Tensor.masked_fill_, torch.masked_fill, torch.where,
        torch.Tensor.add, torch.Tensor.__add__, torch.Tensor.add_, torch.add,
        torch.Tensor.mul, torch.Tensor.__mul__, torch.Tensor.mul_, torch.mul,
        torch.Tensor.__setitem__,
    }
)  # fmt: skip
_CUTTING = frozenset({torch.tril, torch.Tensor.tril, torch.Tensor.tril_})
SMALLEST = 4
"""Fewest positions of a mask whose triangle is no chance."""


class Causality:
    """States that a triangular mask or a recurrence in one direction took part in training."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._known: set[str] = set()

    def observe(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """One operation of a deep look."""
        if "mask" in self._known:
            return
        if func in _CUTTING and args and isinstance(args[0], torch.Tensor):
            if args[0].requires_grad:  # a mask itself is often made so
                self._state("mask")
            return
        if not (func in _ATTENTION or func in _MASKING):
            return
        attends = func in _ATTENTION
        given = [*args[1:], *kwargs.values()] if attends else list(args[:2])
        if func is torch.Tensor.__setitem__ and isinstance(args[1], tuple):
            given = list(args[1])
        flagged = attends and bool(kwargs.get("is_causal"))
        if flagged or any(_is_triangular(x) for x in given):
            self._state("mask")

    def see(self, module: nn.Module) -> None:
        """A module ran in training."""
        if isinstance(module, nn.RNNBase | nn.RNNCellBase) and not getattr(
            module, "bidirectional", False
        ):
            self._state("recurrent")

    def _state(self, how: str) -> None:
        if how not in self._known:
            self._known.add(how)
            self.recorder.fact("causal", None, how, how=how)


@torch.no_grad()
def _is_triangular(x: Any) -> bool:
    """One value above the diagonal, and others on and next below it in half of the places.

    In the last two dimensions; of masks for each sample or head (padding, slopes) the first counts.
    """
    if not isinstance(x, torch.Tensor) or x.dim() < 2 or x.requires_grad or not x.numel():
        return False
    size = x.shape[-1]
    if x.shape[-2] != size or size < SMALLEST:
        return False
    square = x.detach()[(0,) * (x.dim() - 2)]
    above = torch.ones(size, size, dtype=torch.bool, device=x.device).triu(1)
    upper = square[above]
    if not bool((upper == upper[0]).all()):
        return False
    return all(2 * int((square.diagonal(k) != upper[0]).sum()) > size for k in (0, -1))
