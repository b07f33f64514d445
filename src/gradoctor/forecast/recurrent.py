"""How far back in time a recurrent layer's gradient reaches, measured."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from gradoctor.prognosis import Recurrence
from gradoctor.rules.evidence.robust import theil_sen
from gradoctor.tracing.moments import precise

FEWEST = 4
"""Time steps without which there is no slope to speak of."""


class Listening:
    """The gradient at each time step of the inputs of a model's recurrent layers."""

    def __init__(self) -> None:
        self.norms: dict[str, list[float]] = {}
        self._kinds: dict[str, str] = {}

    @contextmanager
    def to(self, model: nn.Module) -> Iterator[None]:
        """While this is open, forwards of the model are listened to."""
        handles = [
            module.register_forward_pre_hook(self._listener(name, module), prepend=True)
            for name, module in model.named_modules()
            if isinstance(module, nn.RNNBase)
        ]
        try:
            yield
        finally:
            for handle in handles:
                handle.remove()

    def _listener(self, name: str, module: nn.RNNBase) -> Any:
        def hook(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
            if not args or not isinstance(args[0], torch.Tensor) or args[0].dim() != 3:
                return None  # packed, or one sequence alone
            x = args[0]
            if x.requires_grad:
                x = x.clone()
            else:
                with torch._C.DisableTorchFunction():  # no operation of the model's
                    x = x.detach().clone().requires_grad_()
            time = 1 if module.batch_first else 0
            x.register_hook(lambda g: self._arrive(name, g, time))  # type: ignore[no-untyped-call]
            self._kinds[name] = type(module).__name__
            return (x, *args[1:])

        return hook

    def _arrive(self, name: str, gradient: torch.Tensor, time: int) -> None:
        others = [d for d in range(3) if d != time]
        self.norms[name] = precise(gradient).square().mean(others).sqrt().tolist()

    def recurrences(self) -> tuple[Recurrence, ...]:
        """What was heard."""
        found = []
        for name, norms in self.norms.items():
            bits = np.log2(np.maximum(norms, 2.0**-149))
            if len(bits) >= FEWEST:
                slope = -theil_sen(np.arange(len(bits)), bits).slope
                found.append(Recurrence(name, self._kinds[name], len(bits), slope))
        return tuple(found)


def remembering(model: nn.Module) -> nn.Module:
    """A twin whose recurrent layers are drawn to remember.

    The forget gates of an LSTM begin open (bias 3: 0.95 a step); the recurrent weights of a plain
    RNN are orthogonal, so that they neither shrink nor stretch.
    """
    twin = copy.deepcopy(model)
    for module in twin.modules():
        if not isinstance(module, nn.RNNBase):
            continue
        for name, p in module.named_parameters():
            if isinstance(module, nn.LSTM) and name.startswith("bias_ih"):
                with torch.no_grad():
                    p[module.hidden_size : 2 * module.hidden_size] = 3.0
            elif isinstance(module, nn.RNN) and name.startswith("weight_hh"):
                nn.init.orthogonal_(p)
    return twin
