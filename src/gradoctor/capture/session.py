"""One watched process: ties hooks, parameters, losses and looks to steps."""

from __future__ import annotations

from time import perf_counter
from typing import Any

import torch
from torch import nn

from gradoctor.capture.affine import AffineChains
from gradoctor.capture.by_hand import HandSteps
from gradoctor.capture.capsule import Capsule
from gradoctor.capture.causality import Causality
from gradoctor.capture.circumstances import Circumstances
from gradoctor.capture.evaluating import Evaluating
from gradoctor.capture.faults import Faults
from gradoctor.capture.forwards import Forwards
from gradoctor.capture.governor import Governor
from gradoctor.capture.graph import leaves
from gradoctor.capture.guard import Guard
from gradoctor.capture.heads import LAYERS, Heads
from gradoctor.capture.hidden import HiddenParameters
from gradoctor.capture.hooks import ModuleWatch
from gradoctor.capture.inputs import Inputs
from gradoctor.capture.loaders import Loaders
from gradoctor.capture.losses import Losses
from gradoctor.capture.models import Models, ModuleInfo
from gradoctor.capture.modes import Modes
from gradoctor.capture.operations import OperationMode, Prospect
from gradoctor.capture.optimizers import Optimizers
from gradoctor.capture.parameters import ParameterWatch, WiringWatch
from gradoctor.capture.places import Places
from gradoctor.capture.recorder import Look, Recorder, Sink
from gradoctor.capture.repeated import look_for_repeated
from gradoctor.capture.reuse import Reuse
from gradoctor.capture.schedulers import Schedulers
from gradoctor.capture.source import caller
from gradoctor.capture.targets import Targets

PATIENCE = 20
"""Backwards without any update after which each backward counts as a step."""


class Session:
    """Watches this process until it is closed.

    Args:
        sink: where frames, sites and facts go.
        budget: share of the wall time that watching may take.
        guard: runs our code inside the user's.
        places: where objects were made, when another session saw it.
    """

    def __init__(
        self,
        sink: Sink,
        *,
        budget: float = 0.02,
        guard: Guard | None = None,
        places: Places | None = None,
    ) -> None:
        self.guard = guard or Guard()
        self.sink = sink
        self.places = places or Places()
        self.recorder = Recorder(sink)
        self.governor = Governor(budget)
        self.models = Models(self.recorder, self.places)
        self.optimizers = Optimizers(self.recorder, self.models, self.places)
        self.schedulers = Schedulers(self.recorder, self.optimizers, self.places, self.guard)
        self.loaders = Loaders(self.recorder, self.guard)
        self.parameters = ParameterWatch(self.recorder, self.models, self.optimizers)
        self.wiring = WiringWatch(self.parameters)
        self.reuse = Reuse(self.recorder, self.wiring)
        self.by_hand = HandSteps(self.models, self.parameters)
        self.hidden = HiddenParameters(self.recorder, self.models)
        self.modes = Modes(self.recorder)
        self.targets = Targets(self.recorder, self.guard)
        self.losses = Losses(self.recorder, self.targets)
        self.causality = Causality(self.recorder)
        self.forwards = Forwards(self.guard)
        self.capsule = Capsule(self)
        self.faults = Faults(self.recorder, self._site_of, Circumstances(self), self._seconds)
        self.inputs = Inputs(self.recorder, self.models)
        self.affine = AffineChains(self)
        self.heads = Heads(self.recorder)
        self.hooks = ModuleWatch(self.recorder, self.models, self.guard, self, self.inputs.ended)
        self.mode = OperationMode(self)
        self.evaluating = Evaluating(self)
        self.prospect: Prospect | None = None
        self.compiled = False
        self.scale = 1.0
        self.stepped = 0
        self._training = self._ever_stepped = self._alarmed = self._bad = False
        self._leader: int | None = None
        self._strangers: dict[int, int] = {}
        self._backwards = self._since_step = 0
        self._patience = PATIENCE
        self._begun = perf_counter()
        self._own_before = 0.0
        self.recorder.look = Look.DEEP

    # ---- looks -------------------------------------------------------------------------------
    def arm(self) -> None:
        """Watch the step that begins as deeply as planned.

        Operations are not watched before something trains: preparing data would only be slower.
        """
        if self.recorder.look >= Look.FULL and not self.compiled:
            self.hooks.install()
            if self._training:
                self.mode.enter()
        else:
            self.disarm()

    def disarm(self) -> None:
        """Let the step run without hooks."""
        self.hooks.remove()
        self.mode.leave()

    def begin_training(self) -> None:
        """Something is about to train: an optimizer was made, or a model runs with gradient."""
        if not self._training:
            self._training = True
            self.arm()

    # ---- what the hooks tell -----------------------------------------------------------------
    def on_top(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A training forward of a top-level module begins."""
        self.evaluating.begins_training()
        if self.recorder.look < Look.FULL:
            self.disarm()
            return
        if _is_loss(module):
            return
        if not self.models.is_known(module):
            if next(module.parameters(), None) is None:
                return
            self.models.add_root(module)
            self.hidden.look(module)
            self.guard.part("forwards", self.forwards.follow, module, args)
            look_for_repeated(module, self.models, self.recorder)
        elif self.recorder.look >= Look.DEEP:
            self.models.refresh(module)
            self.hidden.look(module)
        self._training = True
        self.mode.enter()
        if self.recorder.step == 0:
            self._meet_parameters()
        self.inputs.observe(module, args)
        for x in args:
            self.targets.see_given(x)
        if self.prospect is not None:
            self.guard.part("forecast", self.prospect.begin, module, args)

    def on_evaluation(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A forward without gradient begins: the mode would only slow it down."""
        if _is_loss(module):
            return
        if self._training and module.training and self.recorder.look >= Look.DEEP:
            self.mode.deep.idle(module)
            self._meet_parameters()
        if self.evaluating.takes(module, args):
            return
        if self.recorder.look < Look.FULL:
            self.disarm()
        else:
            self.mode.leave()

    def in_evaluation(self, info: ModuleInfo, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A batch norm that is known from training ran without gradient."""
        self.evaluating.norm(info, module, args)

    def on_norm(self, info: ModuleInfo, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A norm ran in a training forward."""
        if self.evaluating.norms.wants(info.site):
            self.guard.part("norms", self.evaluating.norms.in_training, info, module, args)

    def on_output(
        self, info: ModuleInfo, module: nn.Module, output: torch.Tensor, top: nn.Module
    ) -> None:
        """A module that is watched gave this in a training forward."""
        self.modes.observe(info, module, output, top)
        self.causality.see(module)
        if self.heads.wanted and isinstance(module, LAYERS):
            self.heads.observe(info.site, output)
        if not self.recorder.step:
            self.affine.observe(info.site, module, output)

    def on_ids(self, ids: Any) -> None:
        """An embedding was given these in a training forward."""
        self.targets.see_embedded(ids)

    def on_cut(self, module: nn.Module) -> None:
        """A module runs without gradient inside a training forward."""
        params: list[torch.Tensor] = [p for p in module.parameters() if p.requires_grad]
        if params and self.recorder.look >= Look.DEEP:
            self.mode.deep.without_grad(params, *caller())

    def _seconds(self) -> float:
        return self.governor.seconds

    def _site_of(self, module: Any) -> int | None:
        info = self.models.info(module) if isinstance(module, nn.Module) else None
        return info.site if info is not None else None

    def _meet_parameters(self) -> None:
        for info in list(self.models.parameters.values()):
            p = info.tensor()
            if p is not None:
                self.parameters.meet(p, info)

    # ---- backward ----------------------------------------------------------------------------
    def before_backward(self, roots: list[torch.Tensor]) -> None:
        """A backward pass begins."""
        self.begin_training()
        self.evaluating.losses.begin_backward()
        if self._backwards and self._since_step and self.by_hand.moved():
            self.recorder.event("manual_step")
            self._close_step()
        elif not self._ever_stepped and self._backwards >= self._patience:
            self._patience = 1
            self._close_step()
        if self.recorder.step == 0 and not self.models.roots and not self.optimizers.known:
            self._adopt_leaves(roots)
        self._backwards += 1
        self._since_step += 1
        self.hooks.in_backward = True
        if self.recorder.look >= Look.FULL:
            self.guard.part("wiring", self.wiring.before_backward, self._since_step == 1)
        self.guard.part("losses", self._see_roots, roots)
        self.scale = 1.0

    def _see_roots(self, roots: list[torch.Tensor]) -> None:
        site, place = None, caller()
        for root in roots:
            if isinstance(root, torch.Tensor) and root.is_floating_point():
                if not self.recorder.step:
                    self.sink.meta("device", root.device.type)
                site = self.losses.root(root, self.scale)
                look, scaled = self.recorder.look, self.scale != 1.0
                self.guard.part("faults", self.faults.at_root, root, place, look, scaled)
                if not self.recorder.step:
                    self.guard.part("affine chains", self.affine.at_root, root)
                self.guard.part("heads", self.heads.at_root, root, site)
                if look >= Look.DEEP:
                    self.guard.part("deep look", self.mode.deep.at_root, root)
        self.recorder.event("backward", site, *place)

    def _adopt_leaves(self, roots: list[torch.Tensor]) -> None:
        """No module and no optimizer: the weights are tensors of the script's own."""
        for root in roots:
            if isinstance(root, torch.Tensor) and root.grad_fn is not None:
                for leaf in list(leaves(root.grad_fn).values())[:64]:
                    self.models.add_parameter(leaf)

    def after_backward(self) -> None:
        """A backward pass ended."""
        self.hooks.in_backward = False
        self.forwards.after_backward()
        full = self.recorder.look >= Look.FULL
        if self.recorder.step == 0:
            self.guard.part("parameters", self._meet_parameters)
        if not self._ever_stepped:
            self.guard.part("gradients", self.by_hand.remember, full and self._backwards == 1)
        if full:
            self.guard.part("wiring", self.wiring.after_backward)
        if self.prospect is not None:
            prospect, self.prospect = self.prospect, None
            self.guard.part("forecast", prospect.end)

    # ---- optimizer ---------------------------------------------------------------------------
    def before_step(self, optimizer: torch.optim.Optimizer, closure: bool) -> None:
        """An optimizer is about to step."""
        info = self.optimizers.info(optimizer)
        self.by_hand.forget()
        params = [p for g in optimizer.param_groups for p in g["params"]]
        if self.recorder.look >= Look.FULL and not closure:
            self.guard.part("wiring", self.wiring.at_step, params)
            info.untouched += self.wiring.as_left(params)
        if not self._since_step and not closure:
            info.without_backward += 1
        info.facts["closure"] = closure
        self.guard.part("reuse", self.reuse.at_step, info, params)
        if getattr(optimizer, "found_inf", None) is None:  # else a scaler decides in the kernel
            self.guard.part("faults", self.faults.at_step, params, self.recorder.look)
        self.guard.part("gradients", self.parameters.before_step, info, optimizer, closure)

    def after_step(self, optimizer: torch.optim.Optimizer, closure: bool) -> None:
        """An optimizer has stepped."""
        info = self.optimizers.info(optimizer)
        info.steps += 1
        self.stepped += 1
        self._ever_stepped = True
        self.guard.part("updates", self.parameters.after_step, info, optimizer, closure)
        self.recorder.event("step", info.site, *caller())
        self.recorder.put(info.site, ("lr",), (self.optimizers.lr(optimizer),))
        self._follow_leader(info.site)

    def skipped_step(self, optimizer: torch.optim.Optimizer) -> None:
        """A gradient scaler skipped the optimizer's step."""
        info = self.optimizers.info(optimizer)
        self.faults.withdraw()
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
        self._bad = False
        self.guard.part("losses", self._close_losses)
        self.evaluating.close_step()
        if look >= Look.FULL:
            self._state_structure()
        for part in (self.faults, self.heads, self.targets, self.forwards):
            part.close_step()
        now = perf_counter()
        own = self.guard.seconds - self._own_before
        recorder.put(0, ("step.seconds", "own.seconds"), (now - self._begun, own))
        self.governor.spent(recorder.step, look, own, now - self._begun)
        self._begun, self._own_before = now, self.guard.seconds
        recorder.close_step()
        if self._bad and recorder.step > 1 and not self._alarmed:
            self._alarmed = True
            self.governor.alarm()
        recorder.look = self.governor.plan(recorder.step)
        self._backwards = self._since_step = 0
        self._strangers.clear()
        self.arm()

    def _close_losses(self) -> None:
        self._bad = self.losses.close_step()

    def _state_structure(self) -> None:
        """State the facts that a step with hooks has shown."""
        part, used, had_backward = self.guard.part, self.hooks.used, self._backwards > 0
        part("activations", self._close_hooks)
        owners = self.optimizers.owners()
        part("wiring", self.wiring.close_step, owners, used, had_backward)
        part("deep look", self.mode.deep.close_cuts, self.wiring.starved())
        part("modes", self.modes.close_step, had_backward)
        part("hidden parameters", self.hidden.close_step, owners)
        part("schedulers", self.schedulers.state)
        part("reuse", self.reuse.close_step)
        part("loaders", self.loaders.state)
        skipped = [(call.file, call.line) for call in self.losses.skipped]
        part("faults", self.faults.hidden, had_backward and not self._bad, skipped)
        if self.recorder.step >= 20:
            part("parameters", self.parameters.look_for_clones)
        part("optimizers", self._state_optimizers)

    def _close_hooks(self) -> None:
        self.guard.seconds += self.hooks.close_step() + self.mode.close_step()

    def _state_optimizers(self) -> None:
        seen, starved = self.models.current_parameters(), self.wiring.starved()
        for info, optimizer in self.optimizers.alive():
            self.optimizers.state(info, optimizer, seen, starved)

    def finish(self) -> None:
        """Send everything that is left, and say what it cost."""
        self.disarm()
        self.forwards.remove()
        if self._backwards:
            self._close_step()
            self.disarm()
        self.recorder.forget()
        self.evaluating.close_step()
        self.recorder.close_after()
        governor = self.governor
        for kept in (self.schedulers, self.loaders):
            kept.state()
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


def _is_loss(module: nn.Module) -> bool:
    return type(module).__module__.startswith("torch.nn.modules.loss")
