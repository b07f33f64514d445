"""Functions of one element: found by trying, composed, and given to theory with their slope."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from gradoctor.theory.gaussian import Array
from gradoctor.theory.signal import Elementwise

Function = Callable[[torch.Tensor], torch.Tensor]


def replayed(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any],
             parts: dict[int, Function]) -> Function:  # fmt: skip
    """The call as a function of the elements of its source.

    Args:
        parts: for the ``id`` of a tensor argument, what it is as a function of the source. Other
            tensors (a learned slope) count with their mean.
    """

    def fixed(value: Any) -> Any:
        if isinstance(value, torch.Tensor) and id(value) not in parts:
            return value.detach().double().mean().cpu() if value.is_floating_point() else value
        return value

    # tensors of the call are not kept: only what stands for them
    plan = [parts.get(id(a), fixed(a)) for a in args]
    named = {k: parts.get(id(v), fixed(v)) for k, v in kwargs.items()}
    functions = set(map(id, parts.values()))

    def call(z: torch.Tensor) -> torch.Tensor:
        def at(value: Any) -> Any:
            return value(z).clone() if id(value) in functions else value

        out: torch.Tensor = func(*(at(a) for a in plan), **{k: at(v) for k, v in named.items()})
        return out

    return call


def is_elementwise(function: Function) -> bool:
    """Each element of the output depends on that element of the input alone, and is finite."""
    z = torch.linspace(-30.0, 30.0, 17, dtype=torch.float64)
    try:
        whole, part, turned = function(z), function(z[:5]), function(z.flip(0))
    except Exception:  # it needs another shape
        return False
    return (
        isinstance(whole, torch.Tensor)
        and whole.shape == z.shape
        and bool(whole.isfinite().all())  # a mask writes -inf: that is no activation
        and bool(torch.allclose(whole[:5], part))
        and bool(torch.allclose(whole.flip(0), turned))
    )


def for_theory(function: Function) -> Elementwise:
    """The function and its derivative on arrays."""

    def value(z: Array) -> Array:
        with torch.no_grad():
            out: Array = function(torch.from_numpy(np.ascontiguousarray(z))).numpy()
        return out

    def slope(z: Array) -> Array:
        with torch.enable_grad():
            x = torch.from_numpy(np.ascontiguousarray(z)).requires_grad_()
            y = function(x)
            if not y.requires_grad:
                return np.zeros_like(z)
            (gradient,) = torch.autograd.grad(y.sum(), x)
        out: Array = gradient.numpy()
        return out

    return Elementwise(value, slope)
