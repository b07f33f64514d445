"""Finds the heads: the layers whose products are the last before a loss."""

from __future__ import annotations

from collections import deque

import torch
from torch import nn

from gradoctor.capture.graph import Node, in_order, parents
from gradoctor.capture.lines import is_function
from gradoctor.capture.recorder import Look, Recorder

LAYERS = (nn.Linear, nn.Bilinear, nn.modules.conv._ConvNd)
"""Modules whose output is one product with a weight; others are seen by their operations."""

MOST = 20_000
"""Nodes of a graph that are followed; in a larger one the heads stay unknown."""

YOUNG = 8
"""Steps in which losses may be met for the first time: several may take turns."""

_PRODUCTS = frozenset(
    f"{name}Backward0"
    for name in (
        "Addmm", "Mm", "Bmm", "Baddbmm", "Addbmm", "Addmv", "Mv", "Convolution", "Bilinear",
        "ConvolutionOverrideable", "MkldnnConvolution", "MkldnnLinear", "MkldnnRnnLayer",
        "CudnnRnn", "Miopenrnn", "ThnnFusedLstmCell", "ThnnFusedGruCell", "EmbeddingBag",
    )
)  # fmt: skip
_WRAPPED = frozenset({"View", "UnsafeView", "ReshapeAlias", "Squeeze", "Transpose", "Add"})
"""What a layer may do with its product: bring it into shape, and add a bias."""


class Heads:
    """Walks the graph of a loss at its first backward and in deep looks."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._made: dict[Node, int] = {}
        self._done: set[int] = set()

    @property
    def wanted(self) -> bool:
        """Outputs of products are to be reported at this look."""
        recorder = self.recorder
        return recorder.step < YOUNG or recorder.look >= Look.DEEP

    def observe(self, site: int, output: torch.Tensor) -> None:
        """A layer that multiplies by a weight gave this in training."""
        node = output.grad_fn
        while node is not None:
            self._made[node] = site
            name = str(node.name()).partition("Backward")[0]
            behind = [p for p in parents(node) if not hasattr(p, "variable")]
            node = behind[0] if name in _WRAPPED and len(behind) == 1 else None

    def at_root(self, root: torch.Tensor, loss: int) -> None:
        """A backward begins: mark the layers that no product comes after.

        Args:
            loss: id of the loss site; each is looked at once, and again in deep looks.
        """
        known = loss in self._done and self.recorder.look < Look.DEEP
        if root.grad_fn is None or not self._made or known:
            return
        self._done.add(loss)
        nodes = in_order(root.grad_fn, MOST)
        if len(nodes) >= MOST:
            return
        found, unknown = self._last(root.grad_fn, self._signals(nodes))
        earlier = _behind([*found, *unknown])
        for site in {self._made[node] for node in found if node not in earlier}:
            meta = self.recorder.get(site).meta
            if not meta.get("head"):
                self.recorder.update_site(site, meta={**meta, "head": True})

    def _signals(self, nodes: list[Node]) -> set[Node]:
        """Of nodes in order: what was computed from some layer's output."""
        signals: set[Node] = set()
        for node in nodes:
            if node in self._made or any(p in signals for p in parents(node)):
                signals.add(node)
        return signals

    def _last(self, root: Node, signals: set[Node]) -> tuple[list[Node], list[Node]]:
        """The layers met first on the ways from a root, and products of which we know no layer."""
        found: list[Node] = []
        unknown: list[Node] = []
        seen, queue = {root}, deque([root])
        while queue:
            node = queue.popleft()
            if node in self._made:
                found.append(node)
            elif _is_layer(node, signals):
                unknown.append(node)
            else:
                fresh = [p for p in parents(node) if p not in seen]
                seen.update(fresh)
                queue.extend(fresh)
        return found, unknown

    def close_step(self) -> None:
        """Let go of the step's graph."""
        self._made.clear()


def _is_layer(node: Node, signals: set[Node]) -> bool:
    """It may multiply by a weight; products of signals are similarities and attention."""
    if is_function(node):
        return True
    return node.name() in _PRODUCTS and not all(p in signals for p in parents(node))


def _behind(nodes: list[Node]) -> set[Node]:
    """All that these nodes were computed from, they themselves left out."""
    seen: set[Node] = set()
    queue = deque(nodes)
    while queue:
        for parent in parents(queue.popleft()):
            if parent not in seen:
                seen.add(parent)
                queue.append(parent)
    return seen
