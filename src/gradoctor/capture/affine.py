"""Finds layers with nothing but affine operations between them, in the graph of one backward."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from gradoctor.capture.graph import Node, parents, walk

if TYPE_CHECKING:
    from gradoctor.capture.session import Session

_PLAIN = frozenset(
    {"View", "UnsafeView", "ReshapeAlias", "Transpose", "T", "Permute", "Squeeze", "Unsqueeze",
     "Clone", "Alias", "ToCopy", "NativeDropout"}
)  # fmt: skip
_NORMS = frozenset({"NativeBatchNorm", "CudnnBatchNorm"})
_SCALED = frozenset({"Mul", "Add", "Sub", "Div"})
MOST = 20_000
_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


class AffineChains:
    """Looks once, at the first backward."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.made: dict[Node, int] = {}
        self._done = False

    def observe(self, site: int, module: nn.Module, output: torch.Tensor) -> None:
        """A module gave this in the first step."""
        if self._done or not isinstance(module, _LAYERS) or output.grad_fn is None:
            return
        # a parametrised weight is computed when it is asked for: it must not be
        weight = module._parameters.get("weight")
        if weight is not None and weight.requires_grad and getattr(module, "groups", 1) == 1:
            self.made[output.grad_fn] = site

    def at_root(self, root: torch.Tensor) -> None:
        """A backward begins: state each longest chain."""
        if self._done or root.grad_fn is None or not self.made:
            return
        self._done = True
        users = _users(root.grad_fn)
        calls = Counter(self.made.values())
        after = {s: self._next(n, users) for n, s in self.made.items() if calls[s] == 1}
        starts = set(after) - {found[0] for found in after.values() if found is not None}
        for start in starts:
            self._state(start, after)
        self.made = {}

    def _next(self, node: Node, users: dict[Node, list[Node]]) -> tuple[int, bool] | None:
        """The layer that takes this one's output with no nonlinearity, and whether a norm stands
        between; None where the output is used twice, or something else comes.
        """
        norm, product = False, False
        while True:
            following = users.get(node, [])
            if len(following) != 1:
                return None
            before, node = node, following[0]
            name = _name(node)
            if name in ("Addmm", "Mm", "Convolution", "ConvolutionOverrideable"):
                if product:
                    return None
                product = True
            elif name in _NORMS and not product:
                norm = True
            elif not (name in _PLAIN or (name in _SCALED and _is_alone(node, before))):
                return None
            if product and node in self.made:
                return self.made[node], norm

    def _state(self, start: int, after: dict[int, tuple[int, bool] | None]) -> None:
        chain, norms, at = [start], 0, after.get(start)
        while at is not None and at[0] not in chain:
            chain.append(at[0])
            norms += at[1]
            at = after.get(at[0])
        if len(chain) > 1:
            recorder = self.session.recorder
            recorder.fact("affine", start, layers=chain, norms=norms)


def _name(node: Any) -> str:
    return str(node.name()).rstrip("01").removesuffix("Backward")


def _users(root: Node) -> dict[Node, list[Node]]:
    """Who takes the result of each node; empty where the graph is too large to know all."""
    users: dict[Node, list[Node]] = {}
    count = 0
    for node in walk(root, MOST):
        count += 1
        for parent in parents(node):
            users.setdefault(parent, []).append(node)
    return users if count < MOST else {}


def _is_alone(node: Node, signal: Node) -> bool:
    """All else that goes in is constant, or a parameter itself."""
    return all(p is signal or _name(p).endswith("AccumulateGrad") for p in parents(node))
