"""One watched process: ties hooks, parameters, losses and looks to steps."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import torch
from torch import nn

from gradoctor import statistics as kernels
from gradoctor.capture.governor import Governor
from gradoctor.capture.guard import Guard
from gradoctor.capture.hooks import ModuleWatch
from gradoctor.capture.inputs import Inputs
from gradoctor.capture.losses import Losses
from gradoctor.capture.models import Models
from gradoctor.capture.operations import OperationMode
from gradoctor.capture.optimizers import Optimizers
from gradoctor.capture.parameters import ParameterWatch, WiringWatch
from gradoctor.capture.places import Places
from gradoctor.capture.recorder import Look, Recorder, Sink
from gradoctor.capture.source import caller

PATIENCE = 20
"""Backwards without any update after which each backward counts as a step."""


class Session:
    """Watches this process until it is closed.

    Args:
        sink: where frames, sites and facts go.
        budget: share of the wall time that watching may take.
    """

    def __init__(self, sink: Sink, *, budget: float = 0.02, guard: Guard | None = None) -> None:
        self.guard = guard or Guard()
        self.sink = sink
        self.places = Places()
        self.recorder = Recorder(sink)
        self.governor = Governor(budget)
        self.models = Models(self.recorder, self.places)
        self.optimizers = Optimizers(self.recorder, self.models, self.places)
        self.parameters = ParameterWatch(self.recorder, self.models, self.optimizers)
        self.wiring = WiringWatch(self.parameters)
        self.losses = Losses(self.recorder)
        self.inputs = Inputs(self.recorder, self.models)
        self.hooks = ModuleWatch(self.recorder, self.models, self.guard, self._on_top)
        self.mode = OperationMode(self)
        self.compiled = False
        self.scale = 1.0
        self._leader: int | None = None
        self._strangers: dict[int, int] = {}
        self._backwards = 0
        self._since_step = 0
        self._ever_stepped = False
        self._versions: list[tuple[Any, torch.Tensor]] = []
        self._begun = perf_counter()
        self._own_before = 0.0
        self._modules_used = False
        self.recorder.look = Look.DEEP

    # ---- looks -------------------------------------------------------------------------------
    def arm(self) -> None:
        """Watch the step that begins as deeply as planned."""
        if self.recorder.look >= Look.FULL and not self.compiled:
            self.hooks.install()
            self.mode.enter()
        else:
            self.disarm()

    def disarm(self) -> None:
        """Let the step run without hooks."""
        self.hooks.remove()
        self.mode.leave()

    def _on_top(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A training forward of a top-level module begins."""
        if type(module).__module__.startswith("torch.nn.modules.loss"):
            return
        if not self.models.is_known(module):
            if next(module.parameters(), None) is None:
                return
            self.models.add_root(module)
        elif self.recorder.look >= Look.DEEP:
            self.models.refresh(module)
        if self.recorder.step == 0:
            self._meet_parameters()
        if self.recorder.look >= Look.FULL:
            self.inputs.observe(module, args)

    def _meet_parameters(self) -> None:
        for info in list(self.models.parameters.values()):
            p = info.tensor()
            if p is not None:
                self.parameters.meet(p, info)

    # ---- backward ----------------------------------------------------------------------------
    def before_backward(self, roots: list[torch.Tensor]) -> None:
        """A backward pass begins."""
        if self._backwards and self._since_step and self._moved_by_hand():
            self.recorder.event("manual_step")
            self._close_step()
        elif not self._ever_stepped and self._backwards >= PATIENCE:
            self._close_step()
        look = self.recorder.look >= Look.FULL
        if look:
            self.wiring.before_backward(self._since_step == 0)
        site = None
        for root in roots:
            if isinstance(root, torch.Tensor) and root.is_floating_point():
                site = self.losses.root(root, self.scale)
        self.recorder.event("backward", site, *caller())
        self.scale = 1.0
        self._backwards += 1
        self._since_step += 1
        self.hooks.in_backward = True

    def after_backward(self) -> None:
        """A backward pass ended."""
        self.hooks.in_backward = False
        if not self._ever_stepped or not self.optimizers.known:
            self._remember_values()
        if self.recorder.look >= Look.FULL:
            self.wiring.after_backward()
        if self.recorder.step == 0:
            self._meet_parameters()

    def _remember_values(self) -> None:
        """Samples of the weights, so that a hand-written update is seen at the next backward."""
        self._versions = [
            (info.ref, kernels.sample(p.detach(), 8).clone())
            for info in list(self.models.parameters.values())[:64]
            if (p := info.tensor()) is not None and p.requires_grad and p.grad is not None
        ]

    def _moved_by_hand(self) -> bool:
        return any(
            not torch.equal(kernels.sample(p.detach(), 8), old)
            for ref, old in self._versions
            if (p := ref()) is not None
        )

    # ---- optimizer ---------------------------------------------------------------------------
    def before_step(self, optimizer: torch.optim.Optimizer, closure: bool) -> None:
        """An optimizer is about to step."""
        info = self.optimizers.info(optimizer)
        self._versions = []
        params = [p for g in optimizer.param_groups for p in g["params"]]
        if self.recorder.look >= Look.FULL and not closure:
            self.wiring.at_step(params)
        if not self._since_step and not closure:
            info.without_backward += 1
        info.facts["closure"] = closure
        self.parameters.before_step(info, optimizer, closure)

    def after_step(self, optimizer: torch.optim.Optimizer, closure: bool) -> None:
        """An optimizer has stepped."""
        info = self.optimizers.info(optimizer)
        info.steps += 1
        self._ever_stepped = True
        self.parameters.after_step(info, optimizer, closure)
        self.recorder.event("step", info.site, *caller())
        self.recorder.put(info.site, ("lr",), (self.optimizers.lr(optimizer),))
        self._follow_leader(info.site)

    def skipped_step(self, optimizer: torch.optim.Optimizer) -> None:
        """A gradient scaler skipped the optimizer's step."""
        info = self.optimizers.info(optimizer)
        self.recorder.put(0, ("scaler.skipped",), (1.0,))
        self._ever_stepped = True
        self._follow_leader(info.site)

    def _follow_leader(self, site: int) -> None:
        if self._leader is None or (self._strangers.get(site, 0) >= 1 and site != self._leader):
            self._leader = site
        if site == self._leader:
            self._close_step()
        else:
            self._strangers[site] = self._strangers.get(site, 0) + 1
            self._since_step = 0

    # ---- the step's end ----------------------------------------------------------------------
    def _close_step(self) -> None:
        recorder, look = self.recorder, self.recorder.look
        recorder.put(0, ("backward.count",), (float(self._backwards),))
        if self.losses.batch is not None:
            recorder.put(0, ("batch.size",), (float(self.losses.batch),))
        bad = self.losses.close_step()
        if look >= Look.FULL:
            used = self.hooks.used
            self.hooks.close_step()
            self.wiring.close_step(self.optimizers.owners(), used, self._backwards > 0)
            if recorder.step >= 20:
                self.parameters.look_for_clones()
            seen = {id(p) for i in self.models.parameters.values() if (p := i.tensor()) is not None}
            for info, optimizer in self.optimizers.alive():
                self.optimizers.state(info, optimizer, seen)
        now = perf_counter()
        own = self.guard.seconds - self._own_before
        recorder.put(0, ("step.seconds", "own.seconds"), (now - self._begun, own))
        self.governor.spent(recorder.step, look, own, now - self._begun)
        self._begun, self._own_before = now, self.guard.seconds
        recorder.close_step()
        if bad and recorder.step > 1 and not getattr(self, "_alarmed", False):
            self._alarmed = True
            self.governor.alarm()
        recorder.look = self.governor.plan(recorder.step)
        self._backwards = self._since_step = 0
        self._strangers.clear()
        self.arm()

    def finish(self) -> None:
        """Send everything that is left, and say what it cost."""
        self.disarm()
        if self._backwards:
            self.guard.call("finish", self._close_step)
            self.disarm()
        governor = self.governor
        self.recorder.fact(
            "governor", count=0, looks=governor.looks, deep=governor.deep, budget=governor.budget,
            share=governor.share, steady_share=governor.steady_share,
        )  # fmt: skip
        for part, message in self.guard.faults.items():
            self.recorder.fact("lost", None, part, what="hook", message=message)
        self.recorder.finish()
        self.sink.meta("steps", self.recorder.step)
        self.sink.meta("overhead", 1.0 + governor.share)
        self.sink.meta("own_seconds", governor.own)
        self.sink.meta("total_seconds", governor.total)
