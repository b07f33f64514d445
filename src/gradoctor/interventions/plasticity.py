"""How fast the network learns random labels by heart: as it is now, and with its first weights."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from gradoctor.capture.losses import LOSSES
from gradoctor.interventions._intervention import Call
from gradoctor.interventions.dropout import Undropped
from gradoctor.interventions.fresh_targets import drawn
from gradoctor.interventions.snapshot import SEED, Snapshot, kept
from gradoctor.interventions.stage import Stage
from gradoctor.interventions.tape import Tape
from gradoctor.statistics import tensors_in

_EVERY = 10  # steps between two batches that are held
_DRAWS = 3  # of random targets
_MOST = 200  # steps that the first weights get
_TIMES = 3  # as many for the weights as they are: slower than that is not counted out
_DOWN = 0.1  # of the first loss: learnt by heart
_LEAST = 0.2  # of the first loss that the first weights must have learnt, to be a measure

Weights = dict[str, torch.Tensor]


class UnaskedError(Exception):
    """Why the question cannot be put to this script; its word is the probe's verdict."""


class Held(NamedTuple):
    """A training step that can be run again."""

    model: nn.Module
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    out: Any
    tape: Tape
    modes: dict[nn.Module, bool]
    optimizer: torch.optim.Optimizer


class Fit(NamedTuple):
    """One draw: steps with the first weights and with those of now, and the losses they began at.

    Attributes:
        unlearnt: steps until the weights of now were back at the loss that the first begin at;
            not counted in ``now``.
        out: they did not get there.
    """

    initial: int
    now: int
    unlearnt: int
    out: bool
    begin: float
    begin_now: float
    level: float

    @property
    def ratio(self) -> float:
        """How many times as many steps."""
        return self.now / self.initial


class Plasticity(Snapshot):
    """Holds a batch every ten steps, and measures when the script ends.

    Weights, buffers, gradients, the optimizer's state and rate, modes and random numbers are as
    they were afterwards.

    The batch's targets are drawn anew; the script's own loss and optimizer (its state empty, its
    rate the median of the run) learn them, without dropout, first from the weights that the model
    had at its first forward, then from those of now. Both count steps from the loss that the first
    weights begin at down to the level that these get to: what is lost by having to unlearn
    confident answers is not counted.

    States ``plasticity``: ``unasked`` (why it could not be measured, or ''), else ``least`` (the
    smallest ratio of three draws), and of the middle draw ``ratio``, ``initial``, ``now``,
    ``unlearnt``, ``begin``, ``begin_now``, ``level``; ``out`` (draws in which it was given up),
    ``losses``, ``optimizer``, ``rate``, ``samples``, ``model``, ``steps``.

    Args:
        first: steps until it is also measured before the end, and again after twice as many each
            time: a script that is ended from outside has said something.
    """

    def __init__(self, first: int = 2000) -> None:
        super().__init__()
        self._begun: WeakKeyDictionary[nn.Module, Weights] = WeakKeyDictionary()
        self._rates: dict[int, list[float]] = {}
        self._held: Held | None = None
        self._next = first
        self._unscaled: torch.Tensor | None = None
        self._foreign = False

    def begin(self, stage: Stage) -> None:
        """Also see what a gradient scaler is given."""
        super().begin(stage)
        stage.wrap(torch.amp.GradScaler, "scale", self._scaled)

    def _scaled(self, original: Any, scaler: Any, outputs: Any) -> Any:
        self._unscaled = outputs if isinstance(outputs, torch.Tensor) else None
        return original(scaler, outputs)

    # ---- holding -----------------------------------------------------------------------------
    def forward(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Keep the first weights of a model, and what it is given now."""
        if module not in self._begun and not any(map(is_lazy, module.parameters())):
            self._begun[module] = _weights(module)
        return super().forward(module, args, kwargs)

    def before_backward(self, roots: list[torch.Tensor]) -> None:
        """The loss as it was before it was scaled."""
        unscaled, self._unscaled = self._unscaled, None
        super().before_backward(roots if unscaled is None else [unscaled])

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Hold the step if the optimizer is the model's; measure now and then."""
        rates = self._rates.setdefault(id(optimizer), [])
        rates.append(float(optimizer.param_groups[0]["lr"]))
        if self._ready and self.model is not None:
            self._ready = False
            own = {id(p) for group in optimizer.param_groups for p in group["params"]}
            learnt = [id(p) in own for p in self.model.parameters() if p.requires_grad]
            if sum(learnt) * 2 >= len(learnt) > 0:
                self._hold(optimizer)
        if self.stage.course.steps >= self._next:
            self._next *= 2
            self._measure()

    def _hold(self, optimizer: torch.optim.Optimizer) -> None:
        assert self.model is not None
        self.at = self.stage.course.steps + _EVERY
        self._foreign = self.tape is None or self.forwards != 1
        if self.tape is not None and not self._foreign:
            modes = {module: module.training for module in self.model.modules()}
            self._held = Held(
                self.model, self.args, self.kwargs, self.out, self.tape, modes, optimizer
            )
        self.model, self.tape, self.out, self.forwards = None, None, None, 0

    # ---- measuring ---------------------------------------------------------------------------
    def end(self) -> None:
        """Measure with the last batch that was held."""
        self._measure()

    def _measure(self) -> None:
        if self._held is None:
            if self._foreign:
                self.stage.state(plasticity={"unasked": "unknown-loss"})
            return
        with self.stage.aside(), torch.enable_grad(), kept(self._held.model):
            try:
                found = self._found(self._held)
            except UnaskedError as why:
                found = {"unasked": str(why)}
            except Exception as fault:  # a model or an optimizer that cannot be run from outside
                found = {"unasked": "failed", "fault": f"{type(fault).__name__}: {fault}"[:200]}
        self.stage.state(plasticity={**found, "steps": self.stage.course.steps})

    def _found(self, held: Held) -> dict[str, Any]:
        first, now = self._begun[held.model], _weights(held.model)
        if {n: t.shape for n, t in first.items()} != {n: t.shape for n, t in now.items()}:
            raise UnaskedError("changed")
        rates = sorted(self._rates[id(held.optimizer)])
        rate = rates[len(rates) // 2]
        try:
            with fresh(held.optimizer, held.model, rate):
                fits = [self._fit(held, first, now, draw) for draw in range(_DRAWS)]
        finally:
            _put(held.model, now)
        middle = sorted(fits, key=lambda f: f.ratio)[len(fits) // 2]
        return {
            **middle._asdict(), "unasked": "", "ratio": middle.ratio,
            "least": min(f.ratio for f in fits),
            "out": sum(f.out for f in fits), "model": type(held.model).__name__, "rate": rate,
            "optimizer": type(held.optimizer).__name__,
            "samples": next((t.shape[0] for t in tensors_in((held.args, held.kwargs)) if t.dim()),
                            0),
            "losses": sorted({LOSSES[func] for func, _, _ in held.tape.calls() if func in LOSSES}),
        }  # fmt: skip

    def _fit(self, held: Held, first: Weights, now: Weights, draw: int) -> Fit:
        targets = _targets(held.tape, torch.Generator().manual_seed(SEED + draw))
        losses = self._losses(held, first, targets, None, _MOST)
        begin = losses[0]
        level = max(_DOWN * begin, min(_lasting(losses)))
        initial = _reached(losses, level)
        if initial is None or not level <= (1 - _LEAST) * begin:
            raise UnaskedError("too-hard")
        most = _TIMES * initial
        again = self._losses(held, now, targets, level, 2 * most)
        back = _reached(again, begin) or len(again)
        there = _reached(again, level)
        steps = most if there is None else min(most, there - back + 1)
        return Fit(initial, steps, back - 1, there is None or steps == most, begin, again[0], level)

    def _losses(
        self, held: Held, weights: Weights, targets: Mapping[int, torch.Tensor],
        level: float | None, most: int,
    ) -> list[float]:  # fmt: skip
        """The loss before each step, until it is at a level (at a tenth of its first when None)."""
        _put(held.model, weights)
        held.optimizer.state = defaultdict(dict)
        torch.manual_seed(SEED)
        for module, training in held.modes.items():
            module.training = training
        losses: list[float] = []
        while len(losses) < most:
            with Undropped():
                out = held.model(*held.args, **held.kwargs)
                root = held.tape.again(held.out, out, targets)
            value = float(root.detach().float().mean())
            losses.append(value if math.isfinite(value) else math.inf)
            goal = _DOWN * losses[0] if level is None else level
            if not math.isfinite(value) or (len(losses) > 2 and max(losses[-3:]) <= goal):
                break
            held.model.zero_grad(set_to_none=True)
            root.sum().backward()  # type: ignore[no-untyped-call]
            held.optimizer.step()
        return losses


@contextmanager
def fresh(optimizer: torch.optim.Optimizer, model: nn.Module, rate: float) -> Iterator[None]:
    """The optimizer without a memory and at one rate, for this model alone; all put back after."""
    mine = {id(p) for p in model.parameters()}
    groups = optimizer.param_groups
    others = [p for group in groups for p in group["params"] if id(p) not in mine]
    gradients = [p.grad for p in others]
    state, rates = optimizer.state, [group["lr"] for group in groups]
    top = float(rates[0]) or 1.0
    for p in others:
        p.grad = None
    for group in groups:
        group["lr"] = rate * float(group["lr"]) / top if rates[0] else rate
    try:
        yield
    finally:
        optimizer.state = state
        for group, was in zip(groups, rates, strict=True):
            group["lr"] = was
        for p, gradient in zip(others, gradients, strict=True):
            p.grad = gradient


def _targets(tape: Tape, generator: torch.Generator) -> dict[int, torch.Tensor]:
    """Random targets for each loss function on the way from the output to the loss."""
    made: dict[int, torch.Tensor] = {}
    known = False
    for func, args, kwargs in tape.calls():
        if func not in LOSSES:
            continue
        known = True
        target = args[1] if len(args) > 1 else kwargs.get("target")
        other = drawn(LOSSES[func], target, int(kwargs.get("ignore_index", -100)), generator)
        if other is None:
            raise UnaskedError("no-targets")
        made[id(target)] = other
    if not known:
        raise UnaskedError("unknown-loss")
    return made


def _weights(model: nn.Module) -> Weights:
    held = [*model.named_parameters(), *model.named_buffers()]
    return {name: t.detach().clone() for name, t in held}


def _put(model: nn.Module, weights: Weights) -> None:
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            tensor.copy_(weights[name])


def _lasting(losses: list[float]) -> list[float]:
    """The largest of three neighbours: a single low value is luck."""
    return [max(losses[i : i + 3]) for i in range(max(1, len(losses) - 2))]


def _reached(losses: list[float], level: float) -> int | None:
    """Steps until the loss was at the level, from 1; None when it never was."""
    return next((i + 1 for i, loss in enumerate(_lasting(losses)) if loss <= level), None)
