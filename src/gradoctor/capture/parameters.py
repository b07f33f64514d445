"""Watches parameters: gradients as the optimizer sees them, updates, and how they are wired."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import torch

from gradoctor import statistics as kernels
from gradoctor.capture.beginnings import speaks_of_tying, state_forget_gate
from gradoctor.capture.edits import WeightEdits
from gradoctor.capture.models import Models, ParameterInfo
from gradoctor.capture.optimizers import OptimizerInfo, Optimizers
from gradoctor.capture.recorder import Look, Recorder

UPDATE = ("update.rms", "update.ratio", "update.decay_rms")
LOW_PRECISION = (torch.bfloat16, torch.float16)
FEWEST_EQUAL = 16
"""Elements of two weights that cannot be equal by chance."""
START = 1024
"""Elements of each weight's first value that are kept, to measure how far it has moved."""


@dataclass(slots=True)
class Pending:
    """What was taken before an optimizer's step, to be compared after it."""

    params: list[torch.Tensor]
    infos: list[ParameterInfo]
    before: list[torch.Tensor]
    decay: list[float]


@dataclass(slots=True)
class Wiring:
    """How a parameter took part in training so far."""

    backwards: int = 0
    grads: int = 0
    zero_run: int = 0
    stale: int = 0
    checked: int = 0
    used: bool = False
    moved_unowned: bool = False
    frozen: bool = False
    frozen_moves: int = 0
    version: int = -1
    sample: torch.Tensor | None = None
    stale_now: bool = False
    left: tuple[int, int, int] | None = None
    """The very gradient, and its version, when the last backward ended."""
    got_grad: bool = False


class ParameterWatch:
    """Measures parameters around optimizer steps."""

    def __init__(self, recorder: Recorder, models: Models, optimizers: Optimizers) -> None:
        self.recorder = recorder
        self.models = models
        self.optimizers = optimizers
        self.wiring: dict[int, Wiring] = {}
        self.start: dict[int, torch.Tensor] = {}
        self.pending: dict[int, Pending] = {}
        self.edits = WeightEdits(recorder, models)
        self._sketch: kernels.Sketch | None = None
        self._sketch_key: tuple[int, ...] = ()
        self._previous: tuple[int, torch.Tensor] | None = None
        self._noise = kernels.GradientNoise()
        self._clones_due: set[int] = set()
        self._first_grads: set[int] = set()
        self._by_bits: dict[tuple[Any, ...], ParameterInfo] = {}
        self._twins: list[tuple[ParameterInfo, ParameterInfo]] = []

    # ---- before and after a step -------------------------------------------------------------
    def before_step(
        self, info: OptimizerInfo, optimizer: torch.optim.Optimizer, closure: bool
    ) -> None:
        """Measure gradients and keep the weights; with a closure the gradients come later."""
        if self.recorder.look >= Look.FULL or self.edits.waiting:
            held = [p for group in optimizer.param_groups for p in group["params"]]
            self.edits.before_step(info.site, held)
        if self.recorder.look < Look.FULL and not self._sketch_is_due():
            return
        params, decay = [], []
        for group in optimizer.param_groups:
            rate = self.optimizers.decay(optimizer, group)
            for p in group["params"]:
                if p.requires_grad and not p.is_sparse and p.numel():
                    params.append(p)
                    decay.append(rate)
        infos = [self.models.add_parameter(p) for p in params]
        if self.recorder.look >= Look.FULL:
            self.pending[info.site] = Pending(params, infos, kernels.snapshot(params), decay)
        if not closure:
            self.gradients(params, infos)

    def gradients(self, params: list[torch.Tensor], infos: list[ParameterInfo]) -> None:
        """Record the gradients as the optimizer gets them."""
        grads = [_dense(p.grad) for p in params]
        self._take_sketch(params, grads)
        if self.recorder.look < Look.FULL or not params:
            return
        sites = tuple(i.site for i in infos)
        table = kernels.summarise_gradients(grads)
        self.recorder.put_table(sites, kernels.GRAD, table)
        self.recorder.put(0, ("grad.norm",), _total_norm(table, grads))
        for p, i, g in zip(params, infos, grads, strict=True):
            self._note_first_gradient(p, i, g)

    def _note_first_gradient(
        self, p: torch.Tensor, info: ParameterInfo, grad: torch.Tensor | None
    ) -> None:
        if grad is None or info.site in self._first_grads or p.dim() < 2:
            return
        self._first_grads.add(info.site)
        if self.recorder.known_fact("init", info.site):
            largest = float(grad.detach().abs().max()) if grad.numel() else 0.0
            self.recorder.fact("init", info.site, count=0, first_grad_absmax=largest)

    def after_step(
        self, info: OptimizerInfo, optimizer: torch.optim.Optimizer, closure: bool
    ) -> None:
        """Measure the update."""
        self.edits.after_step(info.site)
        held = self.pending.pop(info.site, None)
        if held is None:
            return
        if closure:
            self.gradients(held.params, held.infos)
        self.measure_update(held)
        self._measure_moments(held, optimizer)

    def _measure_moments(self, held: Pending, optimizer: torch.optim.Optimizer) -> None:
        groups = {id(p): group for group in optimizer.param_groups for p in group["params"]}
        moments = [
            self.optimizers.second_moment(optimizer, groups[id(p)], p)
            if p.dim() > 1 and id(p) in groups
            else None
            for p in held.params
        ]
        if any(m is not None for m in moments):
            table = kernels.summarise_moments(moments, [_dense(p.grad) for p in held.params])
            self.recorder.put_table(tuple(i.site for i in held.infos), kernels.MOMENTS, table)

    def measure_update(self, held: Pending) -> None:
        """Record weights, updates and movement of parameters that have just been stepped."""
        sites = tuple(i.site for i in held.infos)
        grads = [_dense(p.grad) for p in held.params]
        after = [p.detach() for p in held.params]
        self.recorder.put_table(sites, kernels.PARAM, kernels.summarise_weights(after))
        update = kernels.summarise_updates(held.before, after, grads, held.decay)
        self.recorder.put_table(sites, UPDATE, update[:, :3])
        raw = update[:, 3]
        total = torch.nan_to_num(raw).abs().sum().clamp_min(1e-30)
        self.recorder.put_table(sites, ("update.progress",), (raw.abs() / total)[:, None])
        self.recorder.put(0, ("update.predicted",), torch.nan_to_num(raw).sum().reshape(1))
        first = [self.start.get(site) for site in sites]
        now = [kernels.sample(p, START) for p in after]
        moved = kernels.movements(first, now, update.device)
        self.recorder.put_table(sites, ("weight.movement",), moved[:, None])
        for i, old, new, g in zip(held.infos, held.before, after, grads, strict=True):
            if new.dtype in LOW_PRECISION and g is not None:
                self.recorder.put(
                    i.site, ("update.lost_fraction",), kernels.lost_fraction(old, new, g)
                )

    def _take_sketch(self, params: list[torch.Tensor], grads: list[torch.Tensor | None]) -> None:
        """Cosine with the previous step's gradient, and the gradient's signal-to-noise ratio."""
        step = self.recorder.step
        full = self.recorder.look >= Look.FULL
        key = tuple(id(p) for p in params)
        if key != self._sketch_key:
            if self._sketch_key and step > 2 and len(key) <= len(self._sketch_key):
                return  # another optimizer's turn: the sketch belongs to one of them
            self._sketch, self._sketch_key = kernels.Sketch(params), key
            self._noise, self._previous = kernels.GradientNoise(), None
        assert self._sketch is not None
        taken = self._sketch.take(grads)
        if self._previous is not None and self._previous[0] == step - 1:
            self.recorder.put(0, ("grad.cosine",), kernels.cosine(self._previous[1], taken))
        self._previous = (step, taken) if full else None
        self._noise.add(taken)
        if full:
            self.recorder.put(0, ("grad.snr",), self._noise.snr())

    def _sketch_is_due(self) -> bool:
        """The step before was looked at: two gradients in a row have an angle between them."""
        return self._previous is not None and self._previous[0] == self.recorder.step - 1

    # ---- the first look at a parameter -------------------------------------------------------
    def meet(self, parameter: torch.Tensor, info: ParameterInfo) -> None:
        """Keep the first value of a parameter and state how it was initialised."""
        if info.site in self.start or not parameter.is_floating_point():
            return
        with torch.no_grad():
            self.start[info.site] = kernels.sample(parameter.detach(), START).clone()
            state_forget_gate(self.recorder, info.site, parameter)
            if parameter.dim() >= 2 and parameter.shape[0] >= 2 and self.recorder.step == 0:
                facts = kernels.initial_facts(parameter.detach())
                self.recorder.fact("init", info.site, clones_later=None, **facts)
                if facts.get("clones", 0) > 0:
                    self._clones_due.add(info.site)
                if not facts["constant"] and parameter.numel() >= FEWEST_EQUAL:
                    self._look_for_twin(parameter, info)

    def _look_for_twin(self, parameter: torch.Tensor, info: ParameterInfo) -> None:
        """A weight met before that has the same bits in another storage."""
        key = (tuple(parameter.shape), *kernels.sample(parameter.detach(), 8).tolist())
        first = self._by_bits.setdefault(key, info)
        other = first.tensor()
        if other is None or first is info or other.device != parameter.device:
            return
        if other.data_ptr() != parameter.data_ptr() and torch.equal(other, parameter):
            tied = speaks_of_tying(self.recorder, info.site)
            self.recorder.fact("cloned", info.site, twin=first.site, later=None, tied=tied)
            self._twins.append((first, info))

    def look_for_clones(self) -> None:
        """Once, at the first look at or after step 20: are the clones still clones?"""
        for info in list(self.models.parameters.values()):
            p = info.tensor()
            if info.site in self._clones_due and p is not None:
                self.recorder.fact(
                    "init", info.site, count=0, clones_later=kernels.clone_fraction(p.detach())
                )
        self._clones_due.clear()
        for first, info in self._twins:
            p, other = info.tensor(), first.tensor()
            if p is not None and other is not None:
                self.recorder.fact("cloned", info.site, count=0, later=torch.equal(p, other))
        self._twins.clear()


@dataclass
class WiringWatch:
    """Follows who gets gradients, who uses stale ones, and who moves without an optimizer."""

    watch: ParameterWatch
    known: dict[int, Wiring] = field(default_factory=dict)

    def of(self, info: ParameterInfo) -> Wiring:
        """The wiring of a parameter so far."""
        return self.known.setdefault(info.site, Wiring())

    def before_backward(self, first_since_step: bool) -> None:
        """A backward begins: gradients left over from before the last step are stale."""
        for info in self.watch.models.parameters.values():
            p = info.tensor()
            if p is None or not p.requires_grad:
                continue
            wiring = self.of(info)
            if p.grad is None:
                wiring.stale_now = False
            elif first_since_step:
                wiring.stale_now = _is_nonzero(p.grad)
            elif wiring.stale_now and not _is_nonzero(p.grad):
                wiring.stale_now = False

    def after_backward(self) -> None:
        """A backward ended: who has a gradient now."""
        for info in self.watch.models.parameters.values():
            p = info.tensor()
            if p is not None and p.grad is not None:
                wiring = self.of(info)
                wiring.got_grad = True
                wiring.left = mark(p.grad)

    def zeroed(self, params: Iterable[torch.Tensor]) -> None:
        """These gradients were cleared."""
        for p in params:
            info = self.watch.models.known_parameter(p)
            if info is not None:
                self.of(info).stale_now = False

    def as_left(self, params: list[torch.Tensor]) -> bool:
        """Nobody has written to these gradients since the last backward."""
        known = ((p, self.watch.models.known_parameter(p)) for p in params if p.grad is not None)
        seen = [self.of(info).left == mark(p.grad) for p, info in known if info is not None]
        return bool(seen) and all(seen)

    def at_step(self, params: list[torch.Tensor]) -> None:
        """An optimizer uses these gradients now."""
        for p in params:
            info = self.watch.models.known_parameter(p)
            if info is not None:
                wiring = self.of(info)
                wiring.checked += 1
                wiring.stale += wiring.stale_now
                wiring.stale_now = False

    def close_step(self, owners: dict[int, int], used: set[int], had_backward: bool) -> None:
        """State the wiring of every parameter at the end of a step that was looked at."""
        watch = self.watch
        for key, info in watch.models.parameters.items():
            p = info.tensor()
            if p is None:
                continue
            wiring = self.of(info)
            wiring.used = wiring.used or info.module in used
            owner = owners.get(key)
            if had_backward and p.requires_grad:
                wiring.backwards += 1
                wiring.grads += p.grad is not None or wiring.got_grad
                wiring.got_grad = False
                zero = p.grad is not None and not _is_nonzero(p.grad)
                wiring.zero_run = wiring.zero_run + 1 if zero else 0
            moved = self._moved(wiring, p)
            wiring.moved_unowned = wiring.moved_unowned or (moved and owner is None)
            wiring.frozen_moves += (
                moved and wiring.frozen and not p.requires_grad and owner is not None
            )
            wiring.frozen = not p.requires_grad
            watch.recorder.fact("wiring", info.site, count=0, **state(info, p, wiring, owner))

    def starved(self) -> dict[int, str]:
        """Names, by ``id``, of trainable parameters that never got a gradient."""
        return {
            key: info.name
            for key, info in self.watch.models.parameters.items()
            if (p := info.tensor()) is not None
            and p.requires_grad
            and (w := self.of(info)).backwards
            and not w.grads
        }

    @staticmethod
    def _moved(wiring: Wiring, p: torch.Tensor) -> bool:
        now = kernels.sample(p.detach(), 8)
        old, wiring.sample = wiring.sample, now.clone()
        return old is not None and old.shape == now.shape and not bool(torch.equal(old, now))


def state(
    info: ParameterInfo, p: torch.Tensor, wiring: Wiring, owner: int | None
) -> dict[str, Any]:
    """The data of a ``wiring`` fact."""
    return {
        "requires_grad": p.requires_grad, "optimizer": owner, "used": wiring.used,
        "backwards": wiring.backwards, "grads": wiring.grads, "zero_grads": wiring.zero_run,
        "moved_unowned": wiring.moved_unowned, "stale": wiring.stale,
        "checked": wiring.checked, "registered": info.registered,
        "frozen_moves": wiring.frozen_moves,
    }  # fmt: skip


def _dense(grad: torch.Tensor | None) -> torch.Tensor | None:
    if grad is None:
        return None
    return grad.detach().coalesce().values() if grad.is_sparse else grad.detach()


def mark(grad: torch.Tensor | None) -> tuple[int, int, int] | None:
    """Changes when another tensor takes its place, or when it is written to."""
    if grad is None or grad.is_sparse:
        return None
    return id(grad), grad.data_ptr(), grad._version


def _is_nonzero(grad: torch.Tensor) -> bool:
    values = _dense(grad)
    return values is not None and bool((kernels.sample(values, 64) != 0).any())


def _total_norm(table: torch.Tensor, grads: list[torch.Tensor | None]) -> torch.Tensor:
    """Norm of all gradients; of a sparse one the rows that it has."""
    counts = [g.numel() if g is not None else 0 for g in grads]
    sizes = torch.tensor(counts, dtype=torch.float32, device=table.device)
    return (torch.nan_to_num(table[:, 0]) ** 2 * sizes).sum().sqrt().reshape(1)
