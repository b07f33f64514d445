"""What is used twice: gradients by a second step, losses by a second backward, and graphs kept."""

from __future__ import annotations

import weakref
from collections import deque
from typing import Any

import torch

from gradoctor.capture.assigned import assigned
from gradoctor.capture.graph import walk
from gradoctor.capture.optimizers import OptimizerInfo
from gradoctor.capture.parameters import WiringWatch, mark
from gradoctor.capture.places import NOWHERE
from gradoctor.capture.recorder import Look, Recorder
from gradoctor.capture.source import caller, variables_in_frames

FEWEST, MOST = 100, 1000
"""Losses after which it is asked how many graphs are alive, and the latest that are counted."""
EVERY = 50
"""Backwards from one count of the graphs to the next: a count reads a reference a loss."""
KEPT = 0.95
_KEY = "gradoctor"


class Alive:
    """Lies in a node's metadata and lives as long as the node."""

    __slots__ = ("__weakref__",)


class Reuse:
    """Follows the losses that backward is called on, and the gradients that steps are taken with.

    Args:
        wiring: knows which gradients nobody has written to.
    """

    def __init__(self, recorder: Recorder, wiring: WiringWatch) -> None:
        self.recorder = recorder
        self.wiring = wiring
        self._roots: list[weakref.ref[torch.Tensor]] = []
        self._backwards = 0
        self._due = 0
        self._steps: dict[int, tuple[int, list[Any] | None]] = {}
        self._graphs: deque[weakref.ref[Alive]] = deque(maxlen=MOST)
        self._retaining = False
        self._told = False

    # ---- backward ----------------------------------------------------------------------------
    def before_backward(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """``torch.autograd.backward`` is called with these arguments."""
        given = dict(zip(("tensors", "grad_tensors", "retain_graph", "create_graph"), args,
                         strict=False)) | kwargs  # fmt: skip
        self._backwards += 1
        root = given.get("tensors")
        if not isinstance(root, torch.Tensor) or root.numel() != 1 or root.grad_fn is None:
            return
        self._retaining = bool(given.get("retain_graph"))
        plain = not any(_given(given.get(k)) for k in ("grad_tensors", "create_graph", "inputs"))
        if plain and self.recorder.look >= Look.FULL:
            if any(ref() is root for ref in self._roots) and self._still_there():
                file, line = caller()
                self.recorder.fact("doubled", None, f"{file}:{line}", file=file, line=line)
            self._roots.append(weakref.ref(root))
        alive = Alive()
        metadata: Any = root.grad_fn.metadata
        metadata[_KEY] = alive
        self._graphs.append(weakref.ref(alive))

    def _still_there(self) -> bool:
        """The gradients are as the last backward left them: another adds to them."""
        held = [i.tensor() for i in self.wiring.watch.models.parameters.values()]
        return self.wiring.as_left([p for p in held if p is not None])

    def cleared(self) -> None:
        """Gradients were cleared: what comes next is another use of a loss."""
        self._roots.clear()

    # ---- steps -------------------------------------------------------------------------------
    def at_step(self, info: OptimizerInfo, held: list[torch.Tensor]) -> None:
        """An optimizer is about to step: with the very gradients of its step before?"""
        self._roots.clear()
        full = self.recorder.look >= Look.FULL
        marks = [mark(p.grad) for p in held if p.grad is not None] if full else None
        backwards, before = self._steps.get(info.site, (-1, None))
        self._steps[info.site] = self._backwards, marks
        if marks and before == marks and backwards == self._backwards:
            info.repeated += 1

    # ---- graphs that are kept ----------------------------------------------------------------
    def close_step(self) -> None:
        """How many of the earlier losses' graphs somebody still holds."""
        if len(self._graphs) < FEWEST or self._backwards < self._due:
            return
        self._due = self._backwards + EVERY
        alive = sum(ref() is not None for ref in self._graphs)
        share = alive / len(self._graphs)
        if share >= KEPT and not self._told:
            self._told = True
            name = self._holder()
            file, line = assigned(name) if name else NOWHERE
            self.recorder.fact(
                "retained", None, file=file, line=line, variable=name, buffers=self._retaining
            )
        if self._told:
            self.recorder.fact("retained", None, count=0, graphs=alive, share=share)

    @staticmethod
    def _holder() -> str:
        """A number of the script's with a graph: what the losses were added to."""
        found = ((name, t.grad_fn) for _, name, t in variables_in_frames())
        return next((name for name, node in found if node is not None and _is_sum(node)), "")


def _is_sum(node: Any) -> bool:
    """Losses that backward was called on were added up here."""
    behind = list(walk(node, 6))[1:]
    return str(node.name()).startswith(("Add", "Stack", "Cat")) and any(
        _KEY in n.metadata for n in behind
    )


def _given(value: Any) -> bool:
    """An argument was given: of several tensors any that is not None."""
    if isinstance(value, list | tuple):
        return any(v is not None for v in value)
    return value is not None and value is not False
