"""The optimizers of a run: their sites, settings, and who owns which parameter."""

from __future__ import annotations

import weakref
from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

import torch

from gradoctor import statistics as kernels
from gradoctor.capture.models import Models, ParameterInfo
from gradoctor.capture.places import Places
from gradoctor.capture.recorder import Recorder

ADAPTIVE = frozenset(
    {
        "Adam", "AdamW", "Adamax", "NAdam", "RAdam", "Adagrad", "Adadelta", "RMSprop", "Rprop",
        "SparseAdam", "Adafactor", "Muon",
    }
)  # fmt: skip
DECOUPLED = frozenset({"AdamW"})
_SETTINGS = (
    "lr", "weight_decay", "momentum", "eps", "betas", "alpha", "nesterov", "dampening",
    "decoupled_weight_decay",
)  # fmt: skip


@dataclass(slots=True)
class OptimizerInfo:
    """What is known of one optimizer, and of those that were made in its place since.

    Attributes:
        ref: the optimizer, or the latest that took its place.
        made: all of them that still exist.
        first: the first tensor that it was given.
        remade: times that another took its place.
    """

    site: int
    ref: weakref.ref[torch.optim.Optimizer]
    kind: str
    adaptive: bool
    made: weakref.WeakSet[torch.optim.Optimizer]
    first: weakref.ref[torch.Tensor] | None
    remade: int = 0
    facts: dict[str, Any] = field(default_factory=dict)
    steps: int = 0
    repeated: int = 0
    without_backward: int = 0
    untouched: int = 0
    names: dict[int, str] = field(default_factory=dict)


class Optimizers:
    """All optimizers that were made or have stepped."""

    def __init__(self, recorder: Recorder, models: Models, places: Places) -> None:
        self.recorder = recorder
        self.models = models
        self.places = places
        self.known: dict[int, OptimizerInfo] = {}

    def info(self, optimizer: torch.optim.Optimizer) -> OptimizerInfo:
        """The record of an optimizer; made at the first call.

        One that the same line makes for the same tensors once more takes the place of the one
        before: a loop that makes it anew for each step has one optimizer, not hundreds.
        """
        found = self.known.get(id(optimizer))
        if found is not None and optimizer in found.made:
            return found
        kind = type(optimizer).__name__
        file, line = self.places.of(optimizer)
        found = self._before(optimizer, kind, file, line)
        if found is not None:
            found.ref, found.remade = weakref.ref(optimizer), found.remade + 1
            found.made.add(optimizer)
            self.known[id(optimizer)] = found
            return found
        group = optimizer.param_groups[0] if optimizer.param_groups else {}
        settings = {k: _plain(group[k]) for k in _SETTINGS if k in group}
        adaptive = any(base.__name__ in ADAPTIVE for base in type(optimizer).__mro__)
        count = sum(len(g["params"]) for g in optimizer.param_groups)
        site = self.recorder.site(
            "optimizer", kind if not self._taken(kind) else f"{kind}_{len(self.known)}",
            key=(id(optimizer), len(self.known)), type=kind, file=file, line=line,
            meta={"class": kind, "adaptive": adaptive, "parameters": count, **settings},
        )  # fmt: skip
        first = _first(optimizer)
        found = OptimizerInfo(
            site, weakref.ref(optimizer), kind, adaptive, weakref.WeakSet([optimizer]),
            None if first is None else weakref.ref(first),
        )  # fmt: skip
        found.facts = {"class": kind, "defaults": settings, "parameters": count, "closure": False}
        self.known[id(optimizer)] = found
        return found

    def _before(
        self, optimizer: torch.optim.Optimizer, kind: str, file: str | None, line: int | None
    ) -> OptimizerInfo | None:
        """The record of an optimizer of this kind, made by this line for these tensors."""
        first = _first(optimizer)
        count = sum(len(g["params"]) for g in optimizer.param_groups)
        for info in self.known.values():
            place = self.recorder.get(info.site)
            if (
                info.kind == kind
                and (place.file, place.line) == (file, line)
                and line is not None
                and info.first is not None
                and info.first() is first
                and info.facts.get("parameters") == count
            ):
                return info
        return None

    def _taken(self, name: str) -> bool:
        return any(self.recorder.get(o.site).name == name for o in self.known.values())

    def alive(self) -> list[tuple[OptimizerInfo, torch.optim.Optimizer]]:
        """All optimizers that still exist."""
        each = {o.site: o for o in self.known.values()}.values()
        return [(o, opt) for o in each if (opt := o.ref()) is not None]

    def owners(self) -> dict[int, int]:
        """Optimizer site by ``id`` of each parameter that an optimizer holds."""
        return {
            id(p): info.site
            for info, optimizer in self.alive()
            for group in optimizer.param_groups
            for p in group["params"]
        }

    def lr(self, optimizer: torch.optim.Optimizer) -> float:
        """The largest learning rate of its groups."""
        rates = [float(g["lr"]) for g in optimizer.param_groups if "lr" in g]
        return max(rates, default=float("nan"))

    def state(
        self,
        info: OptimizerInfo,
        optimizer: torch.optim.Optimizer,
        seen: set[int],
        starved: Container[int],
    ) -> None:
        """State the optimizer's facts.

        Args:
            seen: ids of the parameters that models have now.
            starved: ids of those that never got a gradient, in a model or not.
        """
        held = [p for g in optimizer.param_groups for p in g["params"]]
        known = [self.models.known_parameter(p) for p in held]
        orphans = sum(
            self._is_orphan(p, k, seen, starved) for p, k in zip(held, known, strict=True)
        )
        info.facts |= {
            "parameters": len(held), "steps": info.steps, "orphans": orphans,
            "names": [k.name for k in known if k is not None][:5],
            "steps_without_backward": info.without_backward, "untouched": info.untouched,
            "repeated": info.repeated, "remade": info.remade,
            "state": _state_dtype(optimizer),
        }  # fmt: skip
        place = self.recorder.get(info.site)
        self.recorder.fact(
            "optimizer", info.site, file=place.file, line=place.line, count=0, **info.facts
        )

    @staticmethod
    def _is_orphan(
        p: torch.Tensor, known: ParameterInfo | None, seen: set[int], starved: Container[int]
    ) -> bool:
        """No model has it: it never took part, or it did in a module that was replaced since."""
        if id(p) in seen:
            return False
        if known is not None and known.registered:  # a functional call lends it for a moment
            return p.grad is None or not bool(p.grad.detach().any())
        return id(p) in starved or (known is None and p.grad is None)

    @staticmethod
    def second_moment(
        optimizer: torch.optim.Optimizer, group: dict[str, Any], p: torch.Tensor
    ) -> kernels.SecondMoment | None:
        """What an optimizer of Adam's family, or RMSprop, remembers of squared gradients."""
        state = optimizer.state.get(p)
        if not state or "eps" not in group:
            return None
        epsilon = float(group["eps"])
        if "exp_avg_sq" in state and "step" in state and "betas" in group:
            steps, beta = state["step"], float(group["betas"][1])
            if isinstance(steps, torch.Tensor):  # off the CPU, reading it would wait for the device
                steps = float(steps) if steps.device.type == "cpu" else steps.double()
            correction = 1.0 - beta**steps
            return kernels.SecondMoment(state["exp_avg_sq"], correction, epsilon)
        if "square_avg" in state and "acc_delta" not in state:
            return kernels.SecondMoment(state["square_avg"], 1.0, epsilon)
        return None

    @staticmethod
    def decay(optimizer: torch.optim.Optimizer, group: dict[str, Any]) -> float:
        """lr * weight_decay of a group: the part of an update that pulls weights to zero.

        Exact for decoupled decay and plain SGD. Coupled L2 in an adaptive optimizer is rescaled by
        its second moment and cannot be separated: 0.
        """
        rate, decay = float(group.get("lr", 0.0)), float(group.get("weight_decay", 0.0) or 0.0)
        kind = type(optimizer).__name__
        if kind in DECOUPLED or group.get("decoupled_weight_decay") or kind in {"SGD", "Muon"}:
            return rate * decay
        return 0.0


def _first(optimizer: torch.optim.Optimizer) -> torch.Tensor | None:
    """The first tensor that an optimizer holds."""
    return next((p for group in optimizer.param_groups for p in group["params"]), None)


def _state_dtype(optimizer: torch.optim.Optimizer) -> str:
    """The floating type of what it keeps of each weight (its moments), '' when it keeps nothing."""
    for kept in optimizer.state.values():
        for value in kept.values() if isinstance(kept, dict) else ():
            if isinstance(value, torch.Tensor) and value.dim() and value.is_floating_point():
                return str(value.dtype).removeprefix("torch.")
    return ""


def _plain(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return float(value)
    if isinstance(value, tuple | list):
        return [_plain(v) for v in value]
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)
