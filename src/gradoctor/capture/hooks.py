"""Watches outputs of modules and the gradients that come back to them.

Global module hooks are installed for the steps that are looked at and removed after, so that the
user's modules carry nothing of ours and other steps cost nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import nn
from torch._C._functorch import TransformType, get_interpreter_stack
from torch.nn.modules import module as torch_module

from gradoctor import statistics as kernels
from gradoctor.capture.guard import Guard
from gradoctor.capture.models import Models, ModuleInfo
from gradoctor.capture.recorder import Look, Recorder
from gradoctor.capture.rhythm import TimeGradients
from gradoctor.capture.roles import RELU_LIKE, SATURATING, UNBOUNDED, first_tensor, unit_dim

MAX_CALLS = 6
"""Calls of one module in one step that are measured: a rollout may call it thousands of times."""

OVERHEAD = 2.2e-6
"""Seconds that one module call takes longer while hooks are on, our own work not counted
(``benchmarks/between.py``)."""

RUNNING = nn.modules.batchnorm._BatchNorm
"""Modules whose evaluation depends on what they saw in training."""

Measured = tuple[tuple[str, ...], torch.Tensor]


@dataclass(slots=True)
class Call:
    """One forward of a site in this step, measured; its gradient may still come."""

    site: int
    values: list[Measured]
    backward: list[Measured] | None = None
    training: bool = True


class Listener(Protocol):
    """Who is told of the forwards that the hooks see."""

    def on_top(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A training forward of a top-level module begins."""

    def on_evaluation(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A forward of a top-level module without gradient begins."""

    def in_evaluation(self, info: ModuleInfo, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A norm that is known from training ran without gradient."""

    def on_norm(self, info: ModuleInfo, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A norm ran in a training forward."""

    def on_output(
        self, info: ModuleInfo, module: nn.Module, output: torch.Tensor, top: nn.Module
    ) -> None:
        """A module that is watched gave this in a training forward of ``top``."""

    def on_ids(self, ids: Any) -> None:
        """An embedding was given these in a training forward."""

    def on_cut(self, module: nn.Module) -> None:
        """Inside a training forward a module runs without gradient."""


def _vectorised() -> bool:
    """Inside ``vmap``: what flows there has a hidden dimension and no values that could be read."""
    stack = get_interpreter_stack()
    return bool(stack) and any(level.key() == TransformType.Vmap for level in stack)


class ModuleWatch:
    """Measures every module's output and its gradient during a look.

    Args:
        listener: is told when forwards of top-level modules begin, and of modules without gradient.
        ended: is told when a forward of a top-level module has ended, with gradient or without.
    """

    def __init__(
        self,
        recorder: Recorder,
        models: Models,
        guard: Guard,
        listener: Listener,
        ended: Callable[[nn.Module, tuple[Any, ...], Any], None],
    ) -> None:
        self.recorder = recorder
        self.models = models
        self.guard = guard
        self.listener = listener
        self.ended = ended
        self.stack: list[nn.Module] = []
        self.in_backward = False
        self.calls: dict[int, list[Call]] = {}
        self.counts: dict[int, int] = {}
        self.used: set[int] = set()
        self._handles: list[Any] = []
        self.rhythm = TimeGradients(recorder, guard)
        self._training = False
        self._cut_at = 0
        self.seen = 0

    # ---- on and off --------------------------------------------------------------------------
    @property
    def active(self) -> bool:
        """The hooks are installed."""
        return bool(self._handles)

    def install(self) -> None:
        """Start watching every module of the process."""
        if not self._handles:
            self.stack.clear()
            self._handles = [
                torch_module.register_module_forward_pre_hook(self._enter),
                torch_module.register_module_forward_hook(self._leave, always_call=True),
            ]

    def remove(self) -> None:
        """Stop watching."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self.stack.clear()

    # ---- forward -----------------------------------------------------------------------------
    def _enter(self, module: nn.Module, args: Any) -> None:
        if self.in_backward or torch.compiler.is_compiling() or _vectorised():
            return
        self.seen += 1
        grad = torch.is_grad_enabled()
        if not self.stack:
            self._training, self._cut_at = grad, 0
            if grad:
                self.guard.call("models", self.listener.on_top, module, args)
            else:
                self.guard.call("evaluation", self.listener.on_evaluation, module, args)
        elif self._training and not grad and not self._cut_at:
            self._cut_at = len(self.stack) + 1
            self.guard.call("deep look", self.listener.on_cut, module)
        self.stack.append(module)

    def _leave(self, module: nn.Module, args: Any, output: Any) -> None:
        if self.in_backward or torch.compiler.is_compiling() or _vectorised():
            return
        top = self.stack[0] if self.stack else module
        while self.stack and self.stack.pop() is not module:
            pass
        if len(self.stack) < self._cut_at:
            self._cut_at = 0
        if not self._training and isinstance(module, RUNNING):
            self.guard.call("evaluation", self._in_evaluation, module, args)
        if output is None or self.recorder.look < Look.FULL:
            return
        if not self.stack:
            self.guard.call("inputs", self.ended, module, args, output)
        if not self._training:
            return
        if torch.is_grad_enabled():
            self.guard.call("activations", self._measure_module, module, args, output, top)
        else:
            self.guard.call("activations", self._note_use, module)

    def _in_evaluation(self, module: nn.Module, args: Any) -> None:
        info = self.models.modules.get(id(module))
        if info is not None and info.ref is not None and info.ref() is module:
            self.listener.in_evaluation(info, module, args)

    def _note_use(self, module: nn.Module) -> None:
        info = self.models.info(module)
        if info is not None:
            self.used.add(info.site)

    def _measure_module(self, module: nn.Module, args: Any, output: Any, top: nn.Module) -> None:
        info = self.models.info(module)
        if info is None or not (info.model or info.params or info.activation):
            return
        tensor = first_tensor(output)
        if tensor is None or tensor.numel() == 0:
            return
        self.used.add(info.site)
        self.models.ran(info, tensor)
        self.listener.on_output(info, module, tensor, top)
        if info.role == "embedding" and args:
            self.listener.on_ids(args[0])
        if info.role == "norm":
            self.listener.on_norm(info, module, args)
        if info.activation in RELU_LIKE and info.dead is None:
            info.dead = kernels.DeadUnits(unit_dim(module, tensor))
        self.measure(info.site, tensor, info.activation, info.dead, top.training)
        if info.role == "recurrent" and self.recorder.look >= Look.DEEP:
            self.rhythm.observe(info.site, module, args, output)

    def measure(
        self,
        site: int,
        output: torch.Tensor,
        activation: str = "",
        dead: kernels.DeadUnits | None = None,
        training: bool = True,
    ) -> None:
        """Measure one output now, while it is in the cache, and wait for its gradient."""
        count = self.counts[site] = self.counts.get(site, 0) + 1
        if count > MAX_CALLS:
            return
        values = output.detach()
        with torch.no_grad(), torch._C.DisableTorchFunction():
            summary = kernels.summarise_activation(values)
            taken: list[Measured] = [(kernels.ACT, summary)]
            if values.dtype == torch.float16:
                taken.append((kernels.HEADROOM, kernels.headroom(summary[1])))
            taken += self._special(values, activation)
            if dead is not None:
                dead.observe(values)
                fraction = dead.fraction()
                if fraction is not None:
                    taken.append((("act.dead_fraction",), fraction))
        call = Call(site, taken, training=training)
        self.calls.setdefault(site, []).append(call)
        node = output.grad_fn
        if output.requires_grad and node is not None:
            node.register_prehook(partial(self._arrive, call, output.output_nr))

    def _special(self, values: torch.Tensor, activation: str) -> list[Measured]:
        """What only some outputs have: saturation, dormant units, positions."""
        taken: list[Measured] = []
        if activation in SATURATING:
            taken.append((kernels.SATURATION, kernels.summarise_saturation(values, activation)))
        if activation in UNBOUNDED and values.dim() > 1 and values.numel():
            dim = unit_dim(None, values)
            taken.append((("act.dormant_fraction",), kernels.dormant_fraction(values, dim)))
        if self.recorder.look >= Look.DEEP and values.dim() == 3 and values.numel():
            taken.append((("act.token_ratio",), kernels.token_ratio(values)))
        return taken

    # ---- backward ----------------------------------------------------------------------------
    def _arrive(self, call: Call, number: int, gradients: tuple[torch.Tensor | None, ...]) -> None:
        gradient = gradients[number] if number < len(gradients) else None
        if gradient is not None:
            self.guard.call("gradients", self._measure_gradient, call, gradient)

    def _measure_gradient(self, call: Call, gradient: torch.Tensor) -> None:
        with torch.no_grad(), torch._C.DisableTorchFunction():
            call.backward = [(kernels.ACTGRAD, kernels.summarise_gradient(gradient.detach()))]
            if gradient.dtype == torch.float16:
                taken = kernels.summarise_underflow(gradient)
                call.backward.append((kernels.UNDERFLOW, taken))

    # ---- the step's end ----------------------------------------------------------------------
    def close_step(self) -> float:
        """Record one call a site: the last that got a gradient, else the last in train mode.

        Gives the seconds that being called at all has cost in this step.
        """
        for site, calls in self.calls.items():
            chosen = next(
                (c for c in reversed(calls) if c.backward is not None),
                next((c for c in reversed(calls) if c.training), calls[-1]),
            )
            for columns, values in [*chosen.values, *(chosen.backward or ())]:
                self.recorder.put(site, columns, values)
        self.calls, self.counts = {}, {}
        self.stack.clear()
        self.rhythm.close_step()
        seen, self.seen = self.seen, 0
        return seen * OVERHEAD
