"""Watches residual streams: sums of a signal and of a branch that was computed from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from gradoctor.capture.call_sites import CallSites
from gradoctor.capture.graph import Node, parents, walk

if TYPE_CHECKING:
    from gradoctor.capture.session import Session

ADDING = frozenset(
    {torch.add, torch.Tensor.add, torch.Tensor.add_, torch.Tensor.__add__, torch.Tensor.__iadd__,
     torch.Tensor.__radd__}
)  # fmt: skip
STREAM = ("stream.rms", "stream.branch")
REACH = 200
"""Nodes of a branch: an attention block written by hand has some sixty."""


class ResidualWatch:
    """Measures what a residual block adds to its stream, in deep looks."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.sites = CallSites(session, STREAM)

    def observe(self, args: tuple[Any, ...], out: Any) -> None:
        """A sum was made in a training forward."""
        if not self.session.hooks.stack or len(args) < 2 or not isinstance(out, torch.Tensor):
            return
        other = args[1]
        if not isinstance(other, torch.Tensor) or other.shape != out.shape or out.dim() < 2:
            return
        behind = parents(out.grad_fn) if out.grad_fn is not None else []
        if len(behind) != 2 or out.numel() == 0:
            return
        if _reaches(behind[1], behind[0]):
            self._measure(out, other.detach())
        elif _reaches(behind[0], behind[1]):
            self._measure(out, None, other.detach())

    def _measure(
        self, out: torch.Tensor, branch: torch.Tensor | None, stream: torch.Tensor | None = None
    ) -> None:
        with torch.no_grad(), torch._C.DisableTorchFunction():
            whole = out.detach().float()
            added = whole - stream if branch is None and stream is not None else branch
            assert added is not None
            size = whole.square().mean().sqrt()
            share = added.float().square().mean().sqrt() / size.clamp_min(1e-30)
            site = self.sites.here("residual", {"class": "add", "out_shape": list(out.shape)})
            self.sites.keep(site, torch.stack([size, share]))


def _reaches(branch: Node, stream: Node) -> bool:
    """The branch was computed from the stream."""
    if branch is stream:
        return False
    return any(node is stream for node in walk(branch, REACH))
