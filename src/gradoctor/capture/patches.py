"""The calls of torch that are intercepted, and how they are put back.

Each wrapper calls the original with the same arguments and returns what it returned.
"""

from __future__ import annotations

import functools
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from types import FunctionType
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.optim import optimizer as torch_optimizer

from gradoctor.capture.draws import Draws
from gradoctor.capture.endings import give_up
from gradoctor.capture.losses import LOSSES
from gradoctor.capture.rebuilt import Rebuilt
from gradoctor.capture.recorder import Look
from gradoctor.capture.resuming import Resuming
from gradoctor.capture.session import Session
from gradoctor.capture.source import caller, creator
from gradoctor.capture.tracebacks import strip


class Patches:
    """Wraps what has to be seen at every step; ``remove`` puts everything back."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._rebuilt = Rebuilt(session.models, session.governor)
        self.draws = Draws(session.recorder, session.guard)
        self.resuming = Resuming(session.recorder, session.guard)
        self._undo: list[Callable[[], None]] = []
        self._in_train = False

    def install(self) -> None:
        """Start intercepting."""
        session = self.session
        hooks = [
            torch_optimizer.register_optimizer_step_pre_hook(self._before_step),
            torch_optimizer.register_optimizer_step_post_hook(self._after_step),
        ]
        hooks += [
            nn.modules.module.register_module_module_registration_hook(self._registered),
            nn.modules.module.register_module_parameter_registration_hook(self._registered),
        ]
        self._undo += [h.remove for h in hooks]
        self._wrap(torch.autograd, "backward", self._backward)
        self._wrap(torch.optim.Optimizer, "zero_grad", self._zero_grad)
        self._wrap(nn.Module, "zero_grad", self._module_zero_grad)
        self._wrap(nn.Module, "train", self._train)
        self._wrap(nn.Module, "state_dict", self._state_dict)
        self._wrap(torch.autograd, "grad", self._grad)
        self._wrap(torch, "compile", self._compile)
        self._wrap(nn.Module, "compile", self._compile)
        self._wrap_clipping()
        self._wrap_scaler()
        self._wrap_losses()
        self._wrap(nn.Module, "__init__", self._module_init)
        self._wrap(torch.optim.Optimizer, "__init__", self._optimizer_init)
        self._wrap(sys, "exit", self._exit)
        session.schedulers.patch(self._wrap)
        session.loaders.patch(self._wrap)
        self.resuming.patch(self._wrap)
        self.draws.patch(self._wrap)

    def remove(self) -> None:
        """Put everything back."""
        for undo in reversed(self._undo):
            undo()
        self._undo.clear()

    def _wrap(self, home: Any, name: str, around: Callable[..., Any]) -> None:
        original = getattr(home, name, None)
        if original is None:
            return

        @functools.wraps(original)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            try:
                return around(original, *args, **kwargs)
            except BaseException as fault:
                fault.__traceback__ = strip(fault.__traceback__)
                raise

        setattr(home, name, wrapper)
        self._undo.append(lambda: setattr(home, name, original))

    def _exit(self, original: Any, *args: Any) -> Any:
        if args and args[0] not in (None, 0):
            frames = [f for f, _ in traceback.walk_stack(sys._getframe(2))]
            self.session.guard.call("finish", give_up, self.session, frames)
        return original(*args)

    # ---- optimizers --------------------------------------------------------------------------
    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        closure = _has_closure(args, kwargs)
        self.session.guard.call("step", self.session.before_step, optimizer, closure)

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        closure = _has_closure(args, kwargs)
        self.session.guard.call("step", self.session.after_step, optimizer, closure)

    def _module_init(self, original: Any, module: Any, *args: Any, **kwargs: Any) -> None:
        if type(module).__module__ != "torch.nn.modules.container":
            self.session.guard.call("places", self._remember, module)
        original(module, *args, **kwargs)

    def _remember(self, thing: Any) -> None:
        self.session.places.remember(thing, creator(thing, 2))

    def _registered(self, module: nn.Module, name: str, thing: Any) -> None:
        """A module or a parameter was put into a module; called for every one that is built."""
        if self.session.stepped and thing is not None:
            self.session.guard.call("models", self._rebuilt.see, module, thing)

    def _optimizer_init(self, original: Any, optimizer: Any, *args: Any, **kwargs: Any) -> None:
        self.session.guard.call("places", self._remember, optimizer)
        original(optimizer, *args, **kwargs)
        self.session.guard.call("step", self.session.begin_training)

    def _zero_grad(self, original: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        out = original(optimizer, *args, **kwargs)
        params = (p for g in optimizer.param_groups for p in g["params"])
        self.session.guard.call("wiring", self._zeroed, params, optimizer)
        return out

    def _zeroed(self, params: Iterable[torch.Tensor], optimizer: Any) -> None:
        session = self.session
        if session.recorder.look >= Look.FULL:
            session.wiring.zeroed(params)
            session.reuse.cleared()
        site = session.optimizers.info(optimizer).site if optimizer is not None else None
        session.recorder.event("zero_grad", site, *caller())

    def _module_zero_grad(self, original: Any, module: Any, *args: Any, **kwargs: Any) -> Any:
        out = original(module, *args, **kwargs)
        self.session.guard.call("wiring", self._zeroed, module.parameters(), None)
        return out

    # ---- backward ----------------------------------------------------------------------------
    def _backward(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        tensors = args[0] if args else kwargs.get("tensors", kwargs.get("outputs"))
        roots = [tensors] if isinstance(tensors, torch.Tensor) else list(tensors or ())
        session = self.session
        session.guard.call("reuse", session.reuse.before_backward, args, kwargs)
        session.guard.call("backward", session.before_backward, roots)
        try:
            return original(*args, **kwargs)
        finally:
            session.guard.call("backward", session.after_backward)

    def _grad(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        """Gradients of parameters by ``autograd.grad`` train as backward does.

        With respect to anything else, or with a graph of their own, they are part of a loss.
        """
        inputs = args[1] if len(args) > 1 else kwargs.get("inputs")
        wanted = [inputs] if isinstance(inputs, torch.Tensor) else list(inputs or ())
        if kwargs.get("create_graph") or not all(t.is_leaf for t in wanted):
            return original(*args, **kwargs)
        session = self.session
        raw = not session.models.roots and not session.optimizers.known
        if not wanted or not (raw or all(session.models.known_parameter(t) for t in wanted)):
            return original(*args, **kwargs)
        return self._backward(original, *args, **kwargs)

    def _train(self, original: Any, module: Any, mode: bool = True) -> Any:
        """``eval()`` is ``train(False)``, which calls itself for every module below."""
        if mode or self._in_train:
            return original(module, mode)
        self._in_train = True
        try:
            out = original(module, mode)
        finally:
            self._in_train = False
        self.session.guard.call("modes", self.session.evaluating.called_eval, module)
        return out

    def _state_dict(self, original: Any, module: Any, *args: Any, **kwargs: Any) -> Any:
        """Called for each module below, too, with the dict that is being filled."""
        if not args and "destination" not in kwargs:
            self.session.guard.call(
                "checkpoints", self.session.evaluating.called_state_dict, module
            )
        return original(module, *args, **kwargs)

    # ---- clipping, scaling, compiling --------------------------------------------------------
    def _wrap_clipping(self) -> None:
        from torch.nn.utils import clip_grad

        for name in ("clip_grad_norm_", "clip_grad_value_"):
            for home in (clip_grad, torch.nn.utils):
                self._wrap(home, name, self._clip)

    def _clip(self, original: Any, parameters: Any, *args: Any, **kwargs: Any) -> Any:
        file, line = caller()
        if isinstance(parameters, Iterator):
            parameters = list(parameters)  # it can be walked once, and we want to count
        out = original(parameters, *args, **kwargs)
        self.session.guard.call("clip", self._clipped, parameters, args, kwargs, out, file, line)
        return out

    def _clipped(
        self, parameters: Any, args: Any, kwargs: Any, out: Any, file: str | None, line: int | None
    ) -> None:
        session = self.session
        held = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
        bound = args[0] if args else kwargs.get("max_norm", kwargs.get("clip_value"))
        if isinstance(out, torch.Tensor):
            session.recorder.put(0, ("clip.norm",), out.detach().reshape(1))
            session.recorder.put(0, ("clip.max_norm",), (float(bound),))
        session.recorder.event("clip", None, file, line)
        session.recorder.fact(
            "clip", key=f"{file}:{line}", file=file, line=line, params=len(held),
            grads=sum(p.grad is not None for p in held), max_norm=float(bound),
            trainable=len(session.optimizers.owners()),
        )  # fmt: skip

    def _wrap_scaler(self) -> None:
        scaler = torch.amp.GradScaler
        self._wrap(scaler, "scale", self._scale)
        self._wrap(scaler, "unscale_", self._unscale)
        self._wrap(scaler, "step", self._scaler_step)
        self._wrap(scaler, "update", self._scaler_update)

    def _scale(self, original: Any, scaler: Any, outputs: Any) -> Any:
        out = original(scaler, outputs)
        if scaler.is_enabled():
            self.session.scale = float(scaler.get_scale()) or 1.0  # it can collapse to 0
        self._note("scale", scaler=scaler)
        return out

    def _unscale(self, original: Any, scaler: Any, optimizer: Any) -> Any:
        out = original(scaler, optimizer)
        self._note("unscale", optimizer)
        return out

    def _note(self, kind: str, optimizer: Any = None, scaler: Any = None) -> None:
        session = self.session

        def note() -> None:
            if scaler is not None:
                data: dict[str, Any] = {"class": type(scaler).__name__}
                session.recorder.fact("scaler", enabled=scaler.is_enabled(), **data)
            site = session.optimizers.info(optimizer).site if optimizer is not None else None
            session.recorder.event(kind, site, *caller())

        session.guard.call("scaler", note)

    def _scaler_step(self, original: Any, scaler: Any, optimizer: Any, *a: Any, **k: Any) -> Any:
        self._note("scaler_step", optimizer)
        session = self.session
        before = session.stepped
        out = original(scaler, optimizer, *a, **k)
        if scaler.is_enabled() and session.stepped == before:
            session.guard.call("scaler", session.skipped_step, optimizer)
        return out

    def _scaler_update(self, original: Any, scaler: Any, *args: Any, **kwargs: Any) -> Any:
        out = original(scaler, *args, **kwargs)
        self._note("scaler_update")
        if scaler.is_enabled():
            self.session.guard.call("scaler", self._scaled, scaler)
        return out

    def _scaled(self, scaler: Any) -> None:
        self.session.recorder.put(0, ("scaler.scale",), (float(scaler.get_scale()),))

    # ---- loss functions ----------------------------------------------------------------------
    def _wrap_losses(self) -> None:
        """See loss functions at every step, and hear of those that are called outside training."""
        for original, name in list(LOSSES.items()):
            wrapper = self._watched_loss(original, name)
            LOSSES[wrapper] = name
            setattr(functional, name, wrapper)
            self._undo.append(partial(setattr, functional, name, original))
            self._undo.append(partial(_forget, wrapper))

    def _watched_loss(self, original: Any, name: str) -> Any:
        session, inside = self.session, [False]
        evaluations, compiling = session.evaluating.losses, torch.compiler.is_compiling

        def watched(*args: Any, **kwargs: Any) -> Any:
            if compiling() or inside[0]:
                return original(*args, **kwargs)
            inside[0] = True  # a mode or a tensor's class may call it again
            try:
                out = original(*args, **kwargs)
            finally:
                inside[0] = False
            if evaluations.outside_training():
                session.guard.call("evaluation", evaluations.observe, name, args, kwargs, out)
            else:
                evaluations.in_training(args)
            return out

        # TorchScript compiles the original's source among the names that the function sees
        disguised = FunctionType(
            watched.__code__, functional.__dict__, name, None, watched.__closure__
        )
        return functools.update_wrapper(disguised, original)

    def _compile(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        self.session.compiled = True
        self.session.sink.meta("compiled", True)
        self.session.disarm()
        return original(*args, **kwargs)


def _forget(wrapper: Any) -> None:
    LOSSES.pop(wrapper, None)


def _has_closure(args: Any, kwargs: Any) -> bool:
    return callable(kwargs.get("closure")) or any(
        callable(a) for a in args[:2] if not isinstance(a, torch.optim.Optimizer)
    )
