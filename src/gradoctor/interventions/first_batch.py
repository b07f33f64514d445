"""The first batch again and again, cut to a few samples."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import nn

from gradoctor.capture.losses import LOSSES
from gradoctor.interventions._intervention import Call, Intervention
from gradoctor.interventions._values import copied, mapped
from gradoctor.statistics import tensors_in

_STEADY = 10  # steps in a row with every sample right
_LITTLE = 0.01  # of the first loss: nothing more to see


class FirstBatch(Intervention):
    """Each step trains on the first step's batch.

    A loader gives its own first batch every time (still drawing the others, so that everything else
    is as it was). Without a loader the first inputs of each model and the first targets of each
    known loss function come again: inputs by the order of the forwards in a step, targets likewise.

    States ``first_batch``: ``by`` (``loader`` or ``forward``), ``cut`` (it could be cut),
    ``samples``, ``of`` (samples of the whole batch), ``losses`` (known loss functions),
    ``optimizers``, ``targets`` (that were held), ``floor`` (the least value of the loss, such as
    the entropy of soft targets), and ``accuracy`` by step.

    Args:
        samples: to cut to; 0 for the whole batch.
    """

    operations = True

    def __init__(self, samples: int = 8) -> None:
        self.samples = samples
        self._whole = 0
        self._cut = False
        self._batches: dict[int, Any] = {}
        self._inputs: dict[tuple[int, int], Call] = {}
        self._targets: dict[tuple[Any, int], torch.Tensor] = {}
        self._counts: dict[Any, int] = {}
        self._losses: set[str] = set()
        self._optimizers: set[int] = set()
        self._accuracy: list[float | None] = []
        self._right: float | None = None
        self._floor = 0.0
        self._first: float | None = None
        self._steady = 0

    # ---- batches of loaders ------------------------------------------------------------------
    def batch(self, loader: Any, batch: Any) -> Any:
        """The first that this loader gave."""
        if id(loader) not in self._batches:
            sized = getattr(loader, "batch_size", None) or getattr(loader, "batch_sampler", None)
            self._batches[id(loader)] = self._shortened(batch) if sized else copied(batch)
        return copied(self._batches[id(loader)])

    def _shortened(self, value: Any) -> Any:
        sizes = [t.shape[0] for t in tensors_in(value) if t.dim()]
        size = sizes[0] if sizes else 0
        self._whole = max(self._whole, size)
        if not self.samples or size <= self.samples:
            return copied(value)
        self._cut = True

        def first(t: torch.Tensor) -> torch.Tensor:
            return t[: self.samples].clone() if t.dim() and t.shape[0] == size else t.clone()

        return mapped(value, first)

    # ---- without loaders ---------------------------------------------------------------------
    def forward(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """The first inputs of this forward of the step."""
        if self._batches or any(t.requires_grad for t in tensors_in((args, kwargs))):
            return args, kwargs
        key = (id(module), self._next(id(module)))
        if key not in self._inputs:
            self._inputs[key] = self._shortened((args, kwargs))
        held: Call = copied(self._inputs[key])
        return held

    def call(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """The first targets of this call of the step."""
        if func not in LOSSES or not torch.is_grad_enabled():
            return args, kwargs
        self._losses.add(LOSSES[func])
        if self._batches or self.stage.depth or not self._inputs:
            return args, kwargs
        place = 1 if len(args) > 1 else None
        target = args[1] if place else kwargs.get("target")
        prediction = args[0] if args else kwargs.get("input")
        if not isinstance(target, torch.Tensor) or target.requires_grad:
            return args, kwargs
        key = (func, self._next(func))
        if key not in self._targets:
            self._targets[key] = self._matching(prediction, target).clone()
        held = self._targets[key]
        return ((args[0], held, *args[2:]), kwargs) if place else (args, {**kwargs, "target": held})

    def _matching(self, prediction: Any, target: torch.Tensor) -> torch.Tensor:
        """The part of the target that belongs to what is left of the batch."""
        if not (self._cut and isinstance(prediction, torch.Tensor) and target.dim()):
            return target
        rows, whole = prediction.shape[0], target.shape[0]
        share = rows * self._whole == whole * self.samples  # so many rows to a sample
        return target[:rows] if share and rows < whole else target

    def _next(self, key: Any) -> int:
        """How often this came in the step, from 0."""
        self._counts[key] = self._counts.get(key, -1) + 1
        return self._counts[key]

    # ---- how well it is learnt ---------------------------------------------------------------
    def called(self, func: Any, call: Call, out: Any) -> Any:
        """Count what is right."""
        if func in LOSSES and torch.is_grad_enabled():
            args, kwargs = call
            given = dict(zip(("input", "target"), args, strict=False)) | kwargs
            prediction, target = given.get("input"), given.get("target")
            if isinstance(prediction, torch.Tensor) and isinstance(target, torch.Tensor):
                with torch.no_grad(), self.stage.aside():
                    self._right = accuracy(LOSSES[func], prediction.detach(), target)
                    mean = given.get("reduction", "mean") in ("mean", None)
                    self._floor = floor(LOSSES[func], target) if mean else 0.0
        return out

    def before_backward(self, roots: list[torch.Tensor]) -> None:
        """End early when there is nothing more to learn."""
        value = float(roots[0].detach().float().mean())
        if self._first is None:
            self._first = value
        learnt = self._right == 1.0 or value - self._floor < _LITTLE * (self._first - self._floor)
        self._steady = self._steady + 1 if learnt else 0

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        """The next step begins."""
        self._counts.clear()
        self._optimizers.add(id(optimizer))
        self._accuracy.append(self._right)
        if self._steady >= _STEADY:
            self.stage.stop()

    def end(self) -> None:
        """Say what was done."""
        right = [a for a in self._accuracy if a is not None]
        self.stage.state(first_batch={
            "by": "loader" if self._batches else "forward", "cut": self._cut,
            "samples": min(self.samples or self._whole, self._whole), "of": self._whole,
            "losses": sorted(self._losses), "optimizers": len(self._optimizers),
            "targets": len(self._targets), "floor": self._floor, "accuracy": right,
        })  # fmt: skip


def accuracy(function: str, prediction: torch.Tensor, target: torch.Tensor) -> float | None:
    """Share of predictions that are right; None where that means nothing."""
    if function in ("cross_entropy", "nll_loss") and prediction.dim():
        classes = prediction.argmax(1 if prediction.dim() > 1 else 0)
        if target.is_floating_point():
            target = target.argmax(1 if target.dim() > 1 else 0)
        counted = target >= 0
        return float((classes == target)[counted].float().mean()) if counted.any() else None
    if function.startswith("binary_cross_entropy") and bool(((target == 0) | (target == 1)).all()):
        middle = 0.0 if function.endswith("logits") else 0.5
        return float(((prediction > middle) == (target > 0.5)).float().mean())
    return None


def floor(function: str, target: torch.Tensor) -> float:
    """The mean loss of the best prediction: the entropy of soft targets, else 0."""
    if not target.is_floating_point():
        return 0.0
    p = target.detach().double()
    if function.startswith("binary_cross_entropy"):
        q = 1 - p
        value = -(torch.xlogy(p, p) + torch.xlogy(q, q)).mean()
    elif function == "cross_entropy":
        value = -torch.xlogy(p, p).sum(1 if p.dim() > 1 else 0).mean()
    else:
        return 0.0
    return float(value) if math.isfinite(float(value)) else 0.0
