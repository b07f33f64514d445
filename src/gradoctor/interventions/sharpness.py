"""The sharpness of the script's own loss, as its optimizer feels it, at some of its steps."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from gradoctor.interventions._intervention import Intervention
from gradoctor.interventions.curvature import Vector, hessian, inner, top, unit
from gradoctor.interventions.stability import SUPPORTED, Stability, stability
from gradoctor.interventions.stage import Stage

_ALIKE = 0.99  # cosine of the gradient in the optimizer and that of the losses
_NAMES = ("tensors", "grad_tensors", "retain_graph", "create_graph", "grad_variables", "inputs")
"""Parameters of ``torch.autograd.backward`` in their order."""


class Sharpness(Intervention):
    """Finds the largest eigenvalue of the Hessian of a step's loss before the optimizer steps.

    The graph of the step's losses is kept until then, so that batch, dropout masks and the
    statistics of batch norm are those of the step, and nothing runs forward again. What stands
    between the losses and the optimizer (a gradient scaler, clipping by norm) is measured as one
    factor and counts. On the next steps the direction is tried on their batches.

    States ``sharpness``: ``looks``, a list of ``step``, ``ratio`` (the eigenvalue over what the
    optimizer stands), ``others`` (the ratio along the same direction on the batches that follow),
    ``threshold``, ``formula``, ``preconditioned``, ``lr``, ``factor`` and ``rounds``;
    ``optimizer`` (its class); ``problem`` (why nothing can be said, or '') and ``said`` (torch's
    words).

    Args:
        at: steps at which to look.
        others: batches after each on which its direction is tried.
    """

    def __init__(self, at: Sequence[int], others: int = 2) -> None:
        self.at = frozenset(at)
        self.others = others
        self.steps = 0
        self._optimizer: torch.optim.Optimizer | None = None
        self._roots: list[torch.Tensor] = []
        self._direction: tuple[list[torch.Tensor], Vector] | None = None
        self._left = 0
        self._within = False
        self._kernels = ExitStack()
        self._found: dict[str, Any] = {"looks": [], "optimizer": "", "problem": "", "said": ""}

    def begin(self, stage: Stage) -> None:
        """Keep the graphs of the steps that are looked at."""
        super().begin(stage)
        stage.wrap(torch.autograd, "backward", self._backward)
        self._prepare()

    @property
    def _looking(self) -> bool:
        return not self._found["problem"] and (self.steps in self.at or self._left > 0)

    def _prepare(self) -> None:
        """Fused kernels have no second derivative: the next step, if looked at, does without."""
        self._kernels.close()
        if self._looking:
            self._kernels.enter_context(sdpa_kernel(SDPBackend.MATH))
            cudnn = torch.backends.cudnn
            self._kernels.callback(setattr, cudnn, "enabled", cudnn.enabled)
            cudnn.enabled = False

    def _backward(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        if not self._looking or self._within or self.stage.busy:
            return original(*args, **kwargs)
        given = dict(zip(_NAMES, args, strict=False)) | kwargs
        tensors = given.pop("tensors")
        self._roots += [tensors] if isinstance(tensors, torch.Tensor) else list(tensors)
        self._within = True  # a backward within it computes a checkpoint's forward again
        try:
            return original(tensors, **{**given, "retain_graph": True})
        finally:
            self._within = False

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Weights, gradients and graph all belong to each other now."""
        self._optimizer = self._optimizer or optimizer
        if optimizer is not self._optimizer:
            self._give_up("several-optimizers")
        if self._looking and self._roots:
            with self.stage.aside():
                try:
                    self._look(optimizer)
                except torch.OutOfMemoryError:
                    raise
                except RuntimeError as fault:
                    self._give_up("no-second-derivative", str(fault).split("\n")[0].strip(" ."))
        self._roots.clear()

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        """The next step begins."""
        self.steps += 1
        self._left = max(0, self._left - 1)
        self._prepare()

    def end(self) -> None:
        """Say what is known."""
        self._kernels.close()
        self.stage.state(sharpness=self._found)

    def _give_up(self, why: str, said: str = "") -> None:
        self._found |= {"problem": why, "said": said}
        self._direction = None
        self.stage.state(sharpness=self._found)
        self.stage.stop()

    # ---- looking -----------------------------------------------------------------------------
    def _look(self, optimizer: torch.optim.Optimizer) -> None:
        self._found["optimizer"] = type(optimizer).__name__
        known = [
            (p, s)
            for group in optimizer.param_groups
            for p in group["params"]
            if p.grad is not None and (s := stability(optimizer, p, group)) is not None
        ]
        if not known:
            if type(optimizer) not in SUPPORTED:
                self._give_up("optimizer-unknown")
            return
        if any(root.numel() != 1 for root in self._roots):
            self._give_up("other-gradient")
            return
        weights = [p for p, _ in known]
        loss = torch.stack([root.reshape(()) for root in self._roots]).sum()
        if not bool(torch.isfinite(loss)):
            return
        slopes, product = hessian(loss, weights)
        factor = _factor(optimizer, weights, slopes)
        if factor is None:
            self._give_up("other-gradient")
        elif factor > 0:
            self._measure(weights, [s for _, s in known], product, factor)

    def _measure(
        self, weights: list[torch.Tensor], plans: list[Stability], product: Any, factor: float
    ) -> None:
        """The eigenvalue of what the optimizer multiplies the weights by, over its limit."""
        roots = [_root(s, p) for s, p in zip(plans, weights, strict=True)]

        def felt(vector: Vector) -> Vector:
            inside = [r * v for r, v in zip(roots, vector, strict=True)]
            bent = product(inside)
            return [
                r * (factor * h + s.decay * v)
                for r, h, s, v in zip(roots, bent, plans, inside, strict=True)
            ]

        held = self._direction
        same = (
            held is not None
            and len(held[0]) == len(weights)
            and all(a is b for a, b in zip(held[0], weights, strict=True))
        )
        if held is not None and same and self._left > 0:
            self._found["looks"][-1]["others"].append(inner(held[1], felt(held[1])))
        if self.steps not in self.at:
            return
        like = [r.expand_as(w) for r, w in zip(roots, weights, strict=True)]
        found = top(felt, like, held[1] if held is not None and same else None)
        if not math.isfinite(found.value):
            return
        self._direction, self._left = (weights, unit(found.direction)), self.others + 1
        first = max(plans, key=lambda s: s.lr)
        self._found["looks"].append({
            "step": self.steps, "ratio": found.value, "others": [], "lr": first.lr,
            "threshold": first.threshold, "formula": first.formula, "factor": factor,
            "preconditioned": first.preconditioned, "rounds": found.rounds,
        })  # fmt: skip
        self.stage.state(sharpness=self._found)


def _root(plan: Stability, weight: torch.Tensor) -> torch.Tensor:
    """The square root of a rate over its limit, so that the matrix is symmetric."""
    dtype = torch.promote_types(weight.dtype, torch.float32)
    rate = torch.as_tensor(plan.rate, dtype=dtype, device=weight.device)
    return (rate / plan.limit).sqrt()


def _factor(
    optimizer: torch.optim.Optimizer, weights: list[torch.Tensor], slopes: Vector
) -> float | None:
    """What the optimizer's gradient is of that of the losses; None when it is another one.

    0 where there is no gradient, or none that is finite.
    """
    given = [p.grad for p in weights if p.grad is not None]
    if any(g.is_sparse for g in given):
        return None
    along, length, own = inner(given, slopes), inner(slopes, slopes), inner(given, given)
    if not (0 < length < math.inf and 0 < own < math.inf):
        return 0.0
    if along < _ALIKE * math.sqrt(length * own):
        return None
    scale = getattr(optimizer, "grad_scale", None)  # what a fused step divides by itself
    return along / length / (1.0 if scale is None else float(scale))
