"""Watches residual streams: sums of a signal and of a branch that was computed from it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from gradoctor.capture.graph import Node, parents, walk
from gradoctor.capture.source import caller

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
        self._seen: dict[int, torch.Tensor] = {}
        self._counts: dict[tuple[str | None, int | None, str], int] = {}

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
            self._seen[self._site(out)] = torch.stack([size, share])

    def _site(self, out: torch.Tensor) -> int:
        session = self.session
        file, line = caller()
        owner = session.models.name_of(session.hooks.stack[-1])
        at = (file, line, owner)
        index = self._counts[at] = min(64, self._counts.get(at, 0) + 1)
        name = f"{owner}.residual"
        site = session.recorder.site(
            "op", name if index == 1 else f"{name}#{index}", key=("residual", at, index),
            type="residual", file=file, line=line,
            meta={"role": "residual", "class": "add", "module": owner, "index": index - 1,
                  "out_shape": list(out.shape), "model": "", "activation": ""},
        )  # fmt: skip
        if session.recorder.get(site).order < 0:
            session.recorder.update_site(site, order=session.models.next_order())
        return site

    def close_step(self) -> None:
        """Record the last call of each site."""
        for site, values in self._seen.items():
            self.session.recorder.put(site, STREAM, values)
        self._seen = {}
        self._counts.clear()


def _reaches(branch: Node, stream: Node) -> bool:
    """The branch was computed from the stream."""
    if branch is stream:
        return False
    return any(node is stream for node in walk(branch, REACH))
