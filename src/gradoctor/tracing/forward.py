"""Runs a model once and leaves no trace: buffers, random numbers and mode are as they were."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from gradoctor.tracing.tracer import Tracer


class Following(TorchFunctionMode):
    """Lets a tracer see every call."""

    def __init__(self, tracer: Tracer) -> None:
        super().__init__()
        self.tracer = tracer

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        out = func(*args, **(kwargs or {}))
        self.tracer.observe(func, args, kwargs or {}, out)
        return out


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Put back what a forward and a backward change: buffers, gradients, random numbers."""
    buffers = {name: copy.deepcopy(b) for name, b in model.named_buffers()}
    gradients = {p: p.grad for p in model.parameters()}
    devices = sorted({p.device.index or 0 for p in model.parameters() if p.is_cuda})
    for p in gradients:
        p.grad = None
    try:
        with torch.random.fork_rng(devices=devices):
            yield
    finally:
        with torch.no_grad():
            for name, buffer in model.named_buffers():
                if name in buffers and buffer is not None:
                    buffer.copy_(buffers[name])
        for p, gradient in gradients.items():
            p.grad = gradient


class Modules:
    """Which module runs now: forward hooks on the model's own modules while it is open."""

    def __init__(self, model: nn.Module) -> None:
        self._names = {m: (name, type(m).__name__) for name, m in model.named_modules()}
        self._stack: list[nn.Module] = []
        self._handles: list[Any] = []

    def __enter__(self) -> Modules:
        for module in self._names:
            self._handles += [
                module.register_forward_pre_hook(self._push),
                module.register_forward_hook(self._pop, always_call=True),
            ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _push(self, module: nn.Module, args: Any) -> None:
        self._stack.append(module)

    def _pop(self, module: nn.Module, args: Any, output: Any) -> None:
        if self._stack:
            self._stack.pop()

    def where(self) -> tuple[str, str, str | None, int | None]:
        """Name and class of the module; the line is not known here."""
        name, kind = self._names[self._stack[-1]] if self._stack else ("", "")
        return name, kind, None, None


def trace(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Tracer, Any]:
    """One forward, followed; gives what was seen, and the output."""
    modules = Modules(model)
    tracer = Tracer(modules.where)
    with modules, torch.enable_grad(), Following(tracer):
        out = model(*args, **kwargs)
    return tracer, out
