"""Watches routers of mixtures of experts: what share of the tokens each expert gets."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from gradoctor import statistics as kernels
from gradoctor.capture.call_sites import CallSites

if TYPE_CHECKING:
    from gradoctor.capture.session import Session

CHOOSING = frozenset(
    {torch.topk, torch.Tensor.topk, torch.argmax, torch.Tensor.argmax, torch.max, torch.Tensor.max}
)
ROUTER = ("router.load_max", "router.starved")
WINDOW = 20
"""Looks over which loads are averaged: one batch gives a small expert too few tokens to judge."""
STARVED = 0.1
"""Of an equal share."""
FEWEST = 30
"""Choices an expert should have had in the window at equal shares."""


class RouterWatch:
    """Follows the choices among as many experts as the module that chooses holds."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.sites = CallSites(session, most=1)
        self._loads: dict[int, deque[tuple[torch.Tensor, int]]] = {}
        self._now: dict[int, tuple[torch.Tensor, int]] = {}
        self._experts: dict[int, frozenset[int]] = {}

    def observe(self, args: tuple[Any, ...], out: Any) -> None:
        """An operation of ``CHOOSING`` ran in a training forward."""
        scores, stack = args[0] if args else None, self.session.hooks.stack
        if not stack or not isinstance(scores, torch.Tensor) or not scores.requires_grad:
            return
        if scores.dim() < 2 or scores.shape[-1] not in self._numbers(stack):
            return
        picked = out if isinstance(out, torch.Tensor) else out[1]
        if not isinstance(picked, torch.Tensor) or picked.is_floating_point():
            return
        if picked.shape[: scores.dim() - 1] != scores.shape[:-1]:
            return  # chosen along another dimension: tokens for an expert, not experts
        experts = scores.shape[-1]
        with torch.no_grad(), torch._C.DisableTorchFunction():
            picks = picked.numel() // max(1, scores[..., 0].numel())
            site = self.sites.here("router", {"experts": experts, "picks": picks})
            self._now[site] = (kernels.loads(picked, experts), picked.numel())

    def _numbers(self, stack: list[nn.Module]) -> frozenset[int]:
        """The lengths of the lists of equal modules that this module, or the one above it, has."""
        return frozenset().union(*(self._held(m) for m in stack[-2:]))

    def _held(self, module: nn.Module) -> frozenset[int]:
        if id(module) not in self._experts:
            lists = [m for m in module.children() if isinstance(m, nn.ModuleList) and len(m) > 1]
            self._experts[id(module)] = frozenset(
                len(m)
                for m in lists
                if len({type(e) for e in m}) == 1 and next(m[0].parameters(), None) is not None
            )
        return self._experts[id(module)]

    def close_step(self) -> None:
        """Record the shares over the window."""
        for site, seen in self._now.items():
            window = self._loads.setdefault(site, deque(maxlen=WINDOW))
            window.append(seen)
            loads = torch.stack([load for load, _ in window]).mean(0)
            experts = loads.numel()
            if sum(n for _, n in window) >= FEWEST * experts:
                starved = (loads < STARVED / experts).float().mean()
                self.session.recorder.put(site, ROUTER, torch.stack([loads.max(), starved]))
        self._now = {}
