"""Norms and inputs: what evaluation forwards give them against what training gives them."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gradoctor import statistics as kernels
from gradoctor.capture.models import ModuleInfo
from gradoctor.capture.recorder import Look, Recorder

EVERY = 4
"""Of the full looks every fourth measures norms; deep looks always do."""

_BATCH = nn.modules.batchnorm._BatchNorm


class Norms:
    """Measures what norms are given, in training and in evaluation."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._looks = 0
        self._step = -1
        self._done: set[int] = set()
        self._evaluated: dict[int, torch.Tensor] = {}

    def wants(self, site: int) -> bool:
        """The first call of a norm in a step is measured, at the looks that do it."""
        if self._step != self.recorder.step:
            self._step = self.recorder.step
            self._looks += 1
            self._done.clear()
        due = self._looks % EVERY == 0 or self.recorder.look >= Look.DEEP
        return due and site not in self._done

    def in_training(self, info: ModuleInfo, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A norm that is wanted ran with gradient."""
        x = _given(args)
        if x is None:
            return
        self._done.add(info.site)
        running = _running(module) if isinstance(module, _BATCH) and module.training else None
        if running is not None:
            gap = kernels.summarise_norm_gap(x, *running, _eps(module), _share(module))
            self.recorder.put(info.site, kernels.NORM_GAP, gap)
        if self.recorder.look >= Look.DEEP:
            self._scale(info.site, module, x)

    def _scale(self, site: int, module: Any, x: torch.Tensor) -> None:
        """How large its epsilon is beside the variance, and how many gains have vanished."""
        gain, eps = getattr(module, "weight", None), getattr(module, "eps", None)
        if isinstance(gain, torch.Tensor) and gain.numel() > 1:
            self.recorder.put(site, ("norm.small_gain",), kernels.small_gains(gain))
        dims = _together(module, x)
        if dims and isinstance(eps, float):
            self.recorder.put(site, ("norm.eps_share",), kernels.epsilon_share(x, dims, eps))

    def in_evaluation(self, info: ModuleInfo, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A norm ran without gradient; with its running statistics if it is in eval mode."""
        x = _given(args)
        running = _running(module) if isinstance(module, _BATCH) and not module.training else None
        if x is not None and running is not None:
            gap = kernels.summarise_norm_gap(x, *running, _eps(module))
            self._evaluated[info.site] = gap

    def close_step(self) -> None:
        """Record what evaluation forwards before the end of this step have shown."""
        for site, gap in self._evaluated.items():
            self.recorder.put(site, kernels.NORM_GAP_EVAL, gap)
        self._evaluated.clear()


def _given(args: Any) -> torch.Tensor | None:
    x = args[0] if isinstance(args, tuple) and args else None
    if not isinstance(x, torch.Tensor) or x.dim() < 2 or not x.numel() or x.is_sparse:
        return None
    return x.detach()


def _running(module: Any) -> tuple[torch.Tensor, torch.Tensor] | None:
    """The running mean and variance of a batch norm, if it keeps them."""
    if module.running_mean is None or module.running_var is None:
        return None
    return module.running_mean, module.running_var


def _eps(module: Any) -> float:
    return float(module.eps)


def _share(module: Any) -> float:
    """The share of the latest batch in the running statistics."""
    if module.momentum is not None:
        return float(module.momentum)
    return 0.0


def _together(module: Any, x: torch.Tensor) -> list[int]:
    """The dimensions that share one mean and variance; none where that is not plain."""
    if isinstance(module, nn.LayerNorm):
        return list(range(x.dim() - len(module.normalized_shape), x.dim()))
    if isinstance(module, _BATCH):
        return [0, *range(2, x.dim())]
    return []
