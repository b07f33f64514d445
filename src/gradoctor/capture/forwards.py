"""The training forwards of the step: what the models were given, and the random numbers' state.

Calls of top-level models are met at every step, through ``__call__`` of their classes: references
to the arguments, the generator's state (2 microseconds), and copies of the few buffers that a
forward changes. All of it is let go when the step ends.
"""

from __future__ import annotations

import functools
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gradoctor.capture.guard import Guard, quiet
from gradoctor.capture.tracebacks import strip

MOST = 8
"""Forwards before one backward that are kept, the latest."""

BUFFERS = 1 << 16
"""Elements of buffers that are copied at each forward; a model with more keeps none."""


@dataclass(slots=True)
class Forward:
    """One training forward of a top-level model, as it began."""

    model: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    generator: torch.Tensor
    devices: dict[int, torch.Tensor]


class Buffers:
    """Copies of those buffers of a model that its forwards change, such as running means.

    Which they are is learnt from values, at the first few forwards: batch norm's kernels change
    them without a new version.
    """

    def __init__(self) -> None:
        self.moving: list[torch.Tensor] = []
        self.copies: list[torch.Tensor] = []
        self._seen: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._learns = 4

    def take(self, model: nn.Module) -> None:
        """A forward begins: copy what earlier forwards were seen to change."""
        if self._learns:
            self._learns -= 1
            self._learn(model)
        if self.moving:
            torch._foreach_copy_(self.copies, self.moving)

    def _learn(self, model: nn.Module) -> None:
        held = [b for b in model.buffers() if b.numel() and b.layout is torch.strided]
        if sum(b.numel() for b in held) > BUFFERS:
            held = []
        known = {id(b) for b in self.moving}
        moved = [b for b, old in self._seen if id(b) not in known and not torch.equal(b, old)]
        self.moving += moved
        self.copies += [b.detach().clone() for b in moved]
        self._seen = [(b, b.detach().clone()) for b in held] if self._learns else []

    def before(self, buffer: torch.Tensor) -> torch.Tensor | None:
        """A buffer as it was before the forward, None when it was not copied."""
        found = (c for b, c in zip(self.moving, self.copies, strict=True) if b is buffer)
        return next(found, None)


class Forwards:
    """Keeps the forwards since the latest backward, or those that it belongs to."""

    def __init__(self, guard: Guard) -> None:
        self.guard = guard
        self.group: deque[Forward] = deque(maxlen=MOST)
        self.buffers: dict[int, Buffers] = {}
        self._closed = False
        self._roots: dict[int, weakref.ref[nn.Module]] = {}
        self._undo: dict[Any, Callable[[], None]] = {}

    # ---- on and off --------------------------------------------------------------------------
    def follow(self, model: nn.Module, args: tuple[Any, ...]) -> None:
        """Meet the calls of a top-level model from now on; its first has just begun.

        Args:
            args: of that first call, by position; a hook is not told of those by name.
        """
        kind = type(model)
        if isinstance(model, torch.jit.ScriptModule) or id(model) in self._roots:
            return
        self._roots[id(model)] = weakref.ref(model)
        self.buffers[id(model)] = Buffers()
        if kind not in self._undo:
            self._undo[kind] = self._meet(kind)
        self._keep(model, args, {})

    def _meet(self, kind: Any) -> Callable[[], None]:
        own = kind.__dict__.get("__call__")
        original: Callable[..., Any] = kind.__call__

        @functools.wraps(original)
        def call(model: nn.Module, *args: Any, **kwargs: Any) -> Any:
            if type(model) is kind and id(model) in self._roots and torch.is_grad_enabled():
                self.guard.call("forwards", self._keep, model, args, kwargs)
            try:
                return original(model, *args, **kwargs)
            except BaseException as fault:
                fault.__traceback__ = strip(fault.__traceback__)
                raise

        def undo() -> None:
            if kind.__dict__.get("__call__") is not call:
                return  # somebody wrapped it after us: it goes on as if we were not there
            if own is None:
                del kind.__call__
            else:
                kind.__call__ = own

        kind.__call__ = call
        return undo

    def remove(self) -> None:
        """Put everything back."""
        for undo in self._undo.values():
            undo()
        self._undo, self._roots, self.buffers = {}, {}, {}
        self.group.clear()

    # ---- every forward -----------------------------------------------------------------------
    def _keep(self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if self._roots[id(model)]() is not model:
            return
        if self._closed:
            self.group.clear()
            self._closed = False
        if not any(f.model is model for f in self.group):
            with torch.no_grad():
                self.buffers[id(model)].take(model)
        states: dict[int, torch.Tensor] = {}
        if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
            states = {torch.cuda.current_device(): torch.cuda.get_rng_state()}
        generator = torch.default_generator.get_state()
        self.group.append(Forward(model, args, kwargs, generator, states))

    def after_backward(self) -> None:
        """What comes next belongs to another backward."""
        self._closed = True

    def close_step(self) -> None:
        """Let go of the step's batch."""
        self.group.clear()


def bad_rows(x: torch.Tensor, most: int = 16) -> list[int]:
    """Indices along the first dimension where a tensor has NaN or infinity, the first few."""
    if not x.is_floating_point() or x.dim() == 0 or not x.numel():
        return []
    bad = ~torch.isfinite(x.detach()).reshape(x.shape[0], -1).all(1)
    return [int(i) for i in quiet(bad.nonzero().flatten().tolist, default=[])[:most]]
