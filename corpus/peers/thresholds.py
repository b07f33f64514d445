"""Plain absolute thresholds: the documented defaults of SageMaker Debugger's built-in rules.

VanishingGradient (mean |gradient| < 1e-7), ExplodingTensor (any NaN or infinity), DeadRelu (a unit
active in less than 1 % of its elements; half of a layer's units), SaturatedActivation (tanh input
beyond 9.4999, sigmoid input below -23 or above 16.99999; half of the units), WeightUpdateRatio
(above 10 or below 1e-8), AllZero (a gradient all zeros), UnchangedTensor (weights close with
rtol 1e-5, atol 1e-8 for 3 inspections), PoorWeightInitialization (variances of two layers' weights
a factor of 10 apart, at the start). LossNotDecreasing (0.1 % in 10 steps) is left out in its
favour: any noisy loss sets it off. The service says only that a rule found an issue, so each counts
as sick.

Source: Amazon SageMaker developer guide, list of Debugger built-in rules.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from corpus.peers import meanings as mean
from corpus.peers.meanings import Said
from corpus.peers.tools import EVERY

VANISHING = 1e-7
ACTIVE = 0.01
UNITS = 0.5
TANH = 9.4999
SIGMOID = (-23.0, 16.99999)
UPDATES = (1e-8, 10.0)
STILL = 3
VARIANCES = 10.0


class Thresholds:
    """Looks at gradients, weights, updates and activations every tenth step."""

    def __init__(self, model: nn.Module, optimizer: torch.optim.Optimizer | None) -> None:
        self.model = model
        self.found: dict[tuple[str, str], Said] = {}
        self.looking = True
        self.before: dict[str, torch.Tensor] = {}
        self.last: dict[str, torch.Tensor] = {}
        self.still: dict[str, int] = {}
        watched: dict[type, Callable[[str, torch.Tensor, torch.Tensor], None]] = {
            nn.ReLU: self._dead, nn.Tanh: self._saturated, nn.Sigmoid: self._saturated,
        }  # fmt: skip
        for name, module in model.named_modules():
            if type(module) in watched:
                module.register_forward_hook(self._hook(name, watched[type(module)]))
        self._initial()

    def before_step(self, step: int, loss: float, lr: float) -> None:
        self.looking = step % EVERY == 0
        if not self.looking:
            return
        if loss != loss or abs(loss) == float("inf"):
            self._tell("ExplodingTensor", "loss", mean.NOT_FINITE)
        for name, p in self._weights():
            g = p.grad
            if g is None:
                continue
            if not bool(torch.isfinite(g).all()):
                self._tell("ExplodingTensor", name, mean.NOT_FINITE)
            elif not bool(g.any()):
                self._tell("AllZero", name, mean.ZEROS)
            elif float(g.abs().mean()) < VANISHING:
                self._tell("VanishingGradient", name, mean.VANISHING)
        self.before = {name: p.detach().clone() for name, p in self._weights()}

    def after_step(self, step: int, loss: float) -> None:
        if not self.looking:
            return
        for name, p in self._weights():
            if name not in self.before:
                continue
            old = self.before[name]
            ratio = float((p.detach() - old).norm()) / (float(old.norm()) + 1e-9)
            if ratio > UPDATES[1]:
                self._tell("WeightUpdateRatio", name, mean.UPDATES_TOO_LARGE)
            elif ratio < UPDATES[0]:
                self._tell("WeightUpdateRatio", name, mean.UPDATES_TOO_SMALL)
            same = name in self.last and torch.allclose(p, self.last[name], 1e-5, 1e-8)
            self.still[name] = self.still.get(name, 0) + 1 if same else 0
            if self.still[name] >= STILL:
                self._tell("UnchangedTensor", name, mean.WEIGHTS_STAND)
            self.last[name] = p.detach().clone()

    def said(self) -> list[Said]:
        return [*self.found.values()]

    # ---- single rules ------------------------------------------------------------------------
    def _weights(self) -> list[tuple[str, torch.Tensor]]:
        return [(n, p) for n, p in self.model.named_parameters() if p.requires_grad and p.dim() > 1]

    def _initial(self) -> None:
        spread = {n: float(p.detach().var()) for n, p in self._weights() if p.numel() > 1}
        known = {n: v for n, v in spread.items() if v > 0}
        if known and max(known.values()) > VARIANCES * min(known.values()):
            self._tell(
                "PoorWeightInitialization", max(known, key=known.__getitem__), mean.BAD_START
            )

    def _hook(self, name: str, judge: Callable[[str, torch.Tensor, torch.Tensor], None]) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...], out: torch.Tensor) -> None:
            if self.looking and torch.is_grad_enabled() and out.dim() > 1:
                judge(name, args[0].detach(), out.detach())

        return hook

    def _dead(self, name: str, _: torch.Tensor, out: torch.Tensor) -> None:
        active = (out > 0).float().flatten(2).mean(-1) if out.dim() > 2 else (out > 0).float()
        if float((active.mean(0) < ACTIVE).float().mean()) > UNITS:
            self._tell("DeadRelu", name, mean.DEAD)

    def _saturated(self, name: str, x: torch.Tensor, out: torch.Tensor) -> None:
        low, high = SIGMOID if float(out.min()) >= 0 else (-TANH, TANH)
        if float(((x < low) | (x > high)).float().mean()) > UNITS:
            self._tell("SaturatedActivation", name, mean.SATURATED)

    def _tell(self, rule: str, name: str, codes: tuple[str, ...]) -> None:
        self.found.setdefault((rule, name), Said("sick", f"{rule} {name}", codes, name))
