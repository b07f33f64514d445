"""How the gradient of a recurrent module changes from time step to time step."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn

from gradoctor import statistics as kernels
from gradoctor.capture.guard import Guard
from gradoctor.capture.recorder import Recorder

MOST = 512
"""Calls of one cell in a step that are followed."""


class TimeGradients:
    """Measures ``dL/dx_t`` of whole sequences and ``dL/dh_t`` of cells that are called in a loop.

    The fused layers show no hidden state between the steps; their input's gradient passes through
    the same states and one more matrix, which is the same for every step. An input that asks for
    no gradient has none to show.
    """

    def __init__(self, recorder: Recorder, guard: Guard) -> None:
        self.recorder = recorder
        self.guard = guard
        self._cells: dict[int, dict[int, torch.Tensor]] = {}
        self._calls: dict[int, int] = {}

    def observe(self, site: int, module: nn.Module, args: Any, output: torch.Tensor) -> None:
        """A recurrent module ran in a deep look."""
        if isinstance(module, nn.RNNBase):
            x = args[0] if args else None
            if isinstance(x, torch.Tensor) and x.requires_grad and x.grad_fn is not None:
                time = 1 if module.batch_first and x.dim() == 3 else 0
                x.grad_fn.register_prehook(partial(self._sequence, site, time, x.output_nr))
        elif output.requires_grad and output.grad_fn is not None:
            step = self._calls[site] = self._calls.get(site, -1) + 1
            if step < MOST:
                node = output.grad_fn
                node.register_prehook(partial(self._cell, site, step, output.output_nr))

    def _sequence(self, site: int, time: int, number: int, gradients: Any) -> None:
        if gradients[number] is not None:
            self.guard.call("recurrence", self._measure, site, time, gradients[number])

    def _measure(self, site: int, time: int, gradient: torch.Tensor) -> None:
        sizes = kernels.rms_over_time(gradient, time)
        self.recorder.put(site, kernels.TIME, kernels.time_slope(sizes))

    def _cell(self, site: int, step: int, number: int, gradients: Any) -> None:
        if gradients[number] is not None:
            self.guard.call("recurrence", self._keep, site, step, gradients[number])

    def _keep(self, site: int, step: int, gradient: torch.Tensor) -> None:
        size = kernels.rms_over_time(gradient[None], 0)
        self._cells.setdefault(site, {})[step] = size

    def close_step(self) -> None:
        """Record the cells of this step."""
        for site, sizes in self._cells.items():
            in_order = torch.cat([sizes[step] for step in sorted(sizes)])
            self.recorder.put(site, kernels.TIME, kernels.time_slope(in_order))
        self._cells, self._calls = {}, {}
