"""Dropout switched off."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from gradoctor.capture.deep import DROPOUTS
from gradoctor.interventions._intervention import Call, Intervention

PLACES: dict[Any, tuple[int, str]] = {
    **dict.fromkeys(DROPOUTS, (1, "p")),
    functional.scaled_dot_product_attention: (4, "dropout_p"),
    functional.multi_head_attention_forward: (10, "dropout_p"),
}
"""Where each function takes the probability: by position, by name."""


def without_dropout(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """The arguments of a call with a probability of 0."""
    if func not in PLACES:
        return args, kwargs
    place, name = PLACES[func]
    if len(args) > place:
        return (*args[:place], 0.0, *args[place + 1 :]), kwargs
    return args, {**kwargs, name: 0.0}


class NoDropout(Intervention):
    """Nothing is dropped."""

    operations = True

    def call(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """With a probability of 0."""
        return without_dropout(func, args, kwargs)

    def forward(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Between the layers of recurrent networks it is no operation of its own."""
        for part in module.modules():
            if isinstance(part, nn.RNNBase):
                part.dropout = 0.0
        return args, kwargs


class Undropped(TorchFunctionMode):
    """The same for what runs inside."""

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        args, kwargs = without_dropout(func, args, kwargs or {})
        return func(*args, **kwargs)


def quiet(module: nn.Module) -> bool:
    """In eval mode this module does the same, less its dropout."""
    plain = nn.modules.dropout._DropoutNd | nn.RNNBase | nn.MultiheadAttention
    return isinstance(module, plain)
