"""Sees single operations during looks: loss functions, functional activations, raw products."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import nn
from torch._C._functorch import is_functorch_wrapped_tensor
from torch.overrides import TorchFunctionMode

from gradoctor import statistics as kernels
from gradoctor.capture.attention import ATTENDING, AttentionWatch
from gradoctor.capture.call_sites import CallSites
from gradoctor.capture.deep import DROPOUTS, DeepLook, Dropouts
from gradoctor.capture.edits import WRITES
from gradoctor.capture.embeddings import COMPARING, MULTIPLYING, EmbeddingWatch
from gradoctor.capture.handwritten import WRITTEN
from gradoctor.capture.latents import DRAWING, USING, LatentWatch
from gradoctor.capture.lines import sequence
from gradoctor.capture.losses import LOSSES
from gradoctor.capture.recorder import Look
from gradoctor.capture.residual import ADDING, ResidualWatch
from gradoctor.capture.roles import FUNCTIONAL, RELU_LIKE, is_watched_whole, unit_dim
from gradoctor.capture.routers import CHOOSING, RouterWatch
from gradoctor.capture.source import caller

if TYPE_CHECKING:
    from gradoctor.capture.session import Session

PRODUCTS = frozenset(
    f
    for f in (
        torch.matmul, torch.mm, torch.addmm, torch.bmm, torch.nn.functional.linear,
        torch.nn.functional.conv1d, torch.nn.functional.conv2d, torch.Tensor.matmul,
        torch.Tensor.mm, torch.Tensor.__matmul__, torch.Tensor.__rmatmul__,
    )
)  # fmt: skip
MOST = 64
"""Calls of one operation on a line, in a module and a step, that are measured."""
OVERHEAD = 2.2e-6
"""Seconds that one operation takes longer while the mode is on, our own work not counted
(``benchmarks/between.py``)."""


class Prospect(Protocol):
    """Who follows the first forward and backward, to say what will become of the gradient."""

    def begin(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A training forward of a top-level module begins; an earlier one came to nothing."""

    def observe(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """An operation of that forward has run."""

    def end(self) -> None:
        """Its backward has ended."""


class OperationMode(TorchFunctionMode):
    """Lies at the bottom of the stack of modes, so that the user's own modes nest as they did."""

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self.deep = DeepLook(session)
        self.dropouts = Dropouts(session)
        self.attention = AttentionWatch(session)
        self.residual = ResidualWatch(session)
        self.routers = RouterWatch(session)
        self.latents = LatentWatch(session)
        self.embeddings = EmbeddingWatch(session)
        self.active = False
        self.seen = 0
        self.sites = CallSites(session, most=MOST)
        self._dead: dict[int, kernels.DeadUnits] = {}

    def enter(self) -> None:
        """Start seeing operations."""
        if not self.active:
            self.active = True
            with _Emptied():
                torch.overrides._push_mode(self)  # type: ignore[no-untyped-call]

    def leave(self) -> None:
        """Stop seeing operations."""
        if self.active:
            self.active = False
            with _Emptied(drop=self):
                pass

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs, session = kwargs or {}, self.session
        deep = session.recorder.look >= Look.DEEP
        before = sequence() if deep else 0
        out = func(*args, **kwargs)
        self.seen += 1
        if session.guard.inside or session.hooks.in_backward:
            return out
        if func in WRITES and not session.parameters.edits.stepping:
            session.guard.call("edits", session.parameters.edits.see, WRITES[func], args)
        if func in DROPOUTS:
            session.guard.call("dropout", self.dropouts.observe, args, kwargs, out)
        if not torch.is_grad_enabled() or session.recorder.look < Look.FULL:
            return out
        if session.prospect is not None and session.hooks.stack:
            session.guard.call("forecast", session.prospect.observe, func, args, kwargs, out)
        if func in LOSSES or func in FUNCTIONAL or func in PRODUCTS:
            session.guard.call("operations", self._observe, func, args, kwargs, out)
        elif risky := session.faults.kind(func):
            session.guard.call("faults", self._observe_risky, risky, args, out)
        if func in WRITTEN and isinstance(out, torch.Tensor) and out.requires_grad:
            session.guard.call("losses", session.losses.written.observe, func, args, out)
        if func in ATTENDING:
            session.guard.call("attention", self.attention.observe, func, args, kwargs)
        elif func in CHOOSING:
            session.guard.call("routers", self.routers.observe, args, out)
        self._follow(func, args, kwargs, out)
        if deep:
            session.guard.call("deep look", self.deep.observe, func, args, kwargs, out)
            if func in ADDING:
                session.guard.call("deep look", self.residual.observe, args, out)
            session.guard.call("lines", session.faults.graph.observe, before, session.hooks.stack)
        return out

    def _follow(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """Tell those who follow tensors from one operation to the next; most concern nobody."""
        call, contests = self.session.guard.call, self.session.inputs.contests
        if func in DRAWING:
            call("latents", self.latents.draw, out)
        elif func in COMPARING:
            call("embeddings", self.embeddings.observe, func, args, kwargs, out)
        elif self.latents.waiting and func in USING:
            call("latents", self.latents.observe, func, args, out)
        elif self.embeddings.waiting and func in MULTIPLYING:
            call("embeddings", self.embeddings.multiplied, args)
        elif func is torch.Tensor.detach:
            call("inputs", contests.detached, args[0] if args else None, out)

    def _observe_risky(self, op: str, args: tuple[Any, ...], out: Any) -> None:
        """Reading a result makes a GPU wait: there only deep looks do it."""
        first = out[0] if isinstance(out, tuple) else out
        if not isinstance(first, torch.Tensor) or is_functorch_wrapped_tensor(first):
            return
        if not first.requires_grad and not self.session.hooks.stack:
            return  # neither part of a loss nor of a model: data is being made
        if first.device.type == "cpu" or self.session.recorder.look >= Look.DEEP:
            stack = self.session.hooks.stack
            self.session.faults.observe(op, args, out, stack[-1] if stack else None)

    def close_step(self) -> float:
        """Forget what belongs to this step; gives the seconds that being in between has cost."""
        self.dropouts.made.clear()
        for sites in (self.sites, self.attention.sites, self.residual.sites):
            sites.close_step()
        for watch in (self.routers, self.latents, self.embeddings):
            watch.close_step()
        seen, self.seen = self.seen, 0
        return seen * OVERHEAD

    def _observe(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        if func in LOSSES:
            prediction = args[0] if args else kwargs.get("input")
            if isinstance(prediction, torch.Tensor):
                self.dropouts.at_loss(prediction)
            self.session.losses.observe(func, args, kwargs, out)
        elif isinstance(out, torch.Tensor) and out.requires_grad:
            if func in FUNCTIONAL:
                self._note_producer(out)
            if self._in_torch_module():
                return
            if func in FUNCTIONAL:
                self._measure(FUNCTIONAL[func], out, "activation")
            elif any(_is_leaf(a) for a in args[:3]) or self._has_tied(args):
                self._measure("matmul", out, "matmul", args)

    def _has_tied(self, factors: tuple[Any, ...]) -> bool:
        views = any(_is_leaf(getattr(f, "_base", None)) for f in factors[:3])
        return views and bool(self._tied(factors))

    def _tied(self, factors: tuple[Any, ...]) -> list[int]:
        """Weights of an embedding, or views of them, among the factors of a product."""
        held = []
        for factor in factors[:3]:
            whole = getattr(factor, "_base", None)
            info = self.session.models.known_parameter(factor if whole is None else whole)
            if info is not None and info.module is not None:
                role = self.session.recorder.get(info.module).meta.get("role")
                held += [info.site] if role == "embedding" else []
        return held

    def _note_producer(self, out: torch.Tensor) -> None:
        """Where an activation was called, or its module made: loss functions may ask."""
        stack = self.session.hooks.stack
        owner = stack[-1] if stack else None
        whole = owner is not None and self._in_torch_module()
        place = self.session.models.place_of(owner) if owner is not None and whole else caller()
        name = self.session.models.name_of(owner) if owner is not None else ""
        self.session.losses.made[out.grad_fn] = (*place, name)

    def _in_torch_module(self) -> bool:
        """The operation belongs to a module that is a site itself."""
        stack = self.session.hooks.stack
        return bool(stack) and (
            type(stack[-1]).__module__.startswith("torch.nn.modules")
            and is_watched_whole(stack[-1])
        )

    def _measure(
        self, name: str, out: torch.Tensor, role: str, factors: tuple[Any, ...] = ()
    ) -> None:
        session = self.session
        at, number = self.sites.count(name)
        if number > MOST:
            return
        meta = {"role": role, "activation": name if role == "activation" else "",
                "out_shape": list(out.shape)}  # fmt: skip
        if tied := self._tied(factors):
            meta["params"] = tied
        site = self.sites.site(at, number, meta, "module" if role == "matmul" else "op")
        if role == "matmul" and session.heads.wanted:
            session.heads.observe(site, out)
        dead = None
        if name in RELU_LIKE:
            dead = self._dead.setdefault(site, kernels.DeadUnits(unit_dim(None, out)))
        session.hooks.measure(site, out, name if role == "activation" else "", dead)


def _is_leaf(value: Any) -> bool:
    """A weight, a frozen one among them."""
    if isinstance(value, nn.Parameter):
        return True
    return isinstance(value, torch.Tensor) and value.is_leaf and value.requires_grad


class _Emptied:
    """Takes all modes off the stack and puts them back after, less one that is to go."""

    def __init__(self, drop: TorchFunctionMode | None = None) -> None:
        self._drop = drop
        self._held: list[Any] = []

    def __enter__(self) -> None:
        while torch._C._len_torch_function_stack():
            self._held.append(torch.overrides._pop_mode())  # type: ignore[no-untyped-call]

    def __exit__(self, *_: object) -> None:
        for mode in reversed(self._held):
            if mode is not self._drop:
                torch.overrides._push_mode(mode)  # type: ignore[no-untyped-call]
