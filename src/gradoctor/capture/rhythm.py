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


SAMPLES = 8
"""Samples that are run through a layer again."""


class Replay:
    """One forward of a recurrent layer whose input has no gradient, kept to be run again.

    Args:
        args: what the layer was called with: the input, and perhaps its first states.
        output: what it gave: all outputs, and the last states.
    """

    def __init__(self, module: nn.RNNBase, args: tuple[Any, ...], output: Any) -> None:
        self.module = module
        self.time = 1 if module.batch_first else 0
        self.batch = 1 - self.time
        self.input = self._few(args[0], self.batch)
        first = args[1] if len(args) > 1 else None
        self.first = tuple(self._few(h, 1) for h in kernels.tensors_in(first))
        self._gradients: dict[int, torch.Tensor] = {}
        for i, (tensor, dim) in enumerate(self._results(output)):
            if tensor.grad_fn is not None:
                keep = partial(self._keep, i, dim, tensor.output_nr)
                tensor.grad_fn.register_prehook(keep)

    def _few(self, tensor: torch.Tensor, dim: int) -> torch.Tensor:
        return tensor.detach().narrow(dim, 0, min(SAMPLES, tensor.shape[dim]))

    def _results(self, output: Any) -> list[tuple[torch.Tensor, int]]:
        whole, *last = kernels.tensors_in(output)
        return [(whole, self.batch), *((h, 1) for h in last)]

    def _keep(self, i: int, dim: int, number: int, gradients: Any) -> None:
        if number < len(gradients) and gradients[number] is not None:
            self._gradients[i] = self._few(gradients[number], dim).clone()

    def run(self) -> torch.Tensor | None:
        """dL/dx of these samples, without dropout (no randomness); None when no gradient came."""
        layer, x = self.module, self.input.clone().requires_grad_()
        weights = [w.detach() for w in layer._flat_weights if w is not None]
        dtypes = {t.dtype for t in (x, *weights, *self._gradients.values())}
        if not self._gradients or len(dtypes) > 1 or layer.proj_size:
            return None
        shape = (layer.num_layers, x.shape[self.batch], layer.hidden_size)
        states = 1 + isinstance(layer, nn.LSTM)
        first = self.first or tuple(x.new_zeros(shape) for _ in range(states))
        run = getattr(torch._VF, _FUSED[layer.mode])
        with torch.enable_grad(), torch._C.DisableTorchFunction():
            made = run(
                x, first if states > 1 else first[0], weights, layer.bias, layer.num_layers, 0.0,
                True, False, layer.batch_first,
            )  # fmt: skip
            came = sorted(self._gradients)
            return torch.autograd.grad(
                [made[i] for i in came], [x], [self._gradients[i] for i in came]
            )[0]


_FUSED = {"LSTM": "lstm", "GRU": "gru", "RNN_TANH": "rnn_tanh", "RNN_RELU": "rnn_relu"}


class TimeGradients:
    """Measures ``dL/dx_t`` of whole sequences and ``dL/dh_t`` of cells that are called in a loop.

    The fused layers show no hidden state between the steps; their input's gradient passes through
    the same states and one more matrix, which is the same for every step. Where the input asks for
    no gradient, a few samples are run through the layer once more after the step, with the
    gradient that came to their output.
    """

    def __init__(self, recorder: Recorder, guard: Guard) -> None:
        self.recorder = recorder
        self.guard = guard
        self._cells: dict[int, dict[int, torch.Tensor]] = {}
        self._calls: dict[int, int] = {}
        self._replays: dict[int, Replay] = {}

    def observe(self, site: int, module: nn.Module, args: Any, output: Any) -> None:
        """A recurrent module ran in a deep look."""
        if isinstance(module, nn.RNNBase):
            x = args[0] if args else None
            if not isinstance(x, torch.Tensor):
                return
            time = 1 if module.batch_first and x.dim() == 3 else 0
            if x.requires_grad and x.grad_fn is not None:
                x.grad_fn.register_prehook(partial(self._sequence, site, time, x.output_nr))
            elif not x.requires_grad and x.dim() == 3 and not module.bidirectional:
                self._replays[site] = Replay(module, args, output)
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

    def _replay(self, site: int, replay: Replay) -> None:
        gradient = replay.run()
        if gradient is not None:
            self._measure(site, replay.time, gradient)

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
        for site, replay in self._replays.items():
            self.guard.part("recurrence", self._replay, site, replay)
        self._cells, self._calls, self._replays = {}, {}, {}
