"""Operations without a rule: their Jacobian's size, measured with noise."""

from __future__ import annotations

from typing import Any

import torch

from gradoctor.theory.signal import Local
from gradoctor.tracing.moments import measure, precise

SEED = 20240229


def jacobian(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: torch.Tensor,
             inputs: list[torch.Tensor]) -> Local:  # fmt: skip
    """Mean square of each input's gradient when that of the output is noise of mean square 1.

    The call is repeated on copies; random numbers are drawn from a fork, so that the run's own
    are as they would have been.
    """
    square = measure(inputs[0]).square if inputs else 0.0
    copies = {id(t): t.detach().clone().requires_grad_() for t in inputs}

    def swap(value: Any) -> Any:
        if isinstance(value, tuple | list):
            return type(value)(swap(v) for v in value)
        if isinstance(value, torch.Tensor):
            # copies of all: a buffer that the call changes must not change twice
            return copies[id(value)] if id(value) in copies else value.detach().clone()
        return value

    devices = [out.device.index or 0] if out.device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices), torch.enable_grad():
        again = func(*(swap(a) for a in args), **{k: swap(v) for k, v in kwargs.items()})
        result = again if isinstance(again, torch.Tensor) else _like(again, out)
        if result is None or not result.requires_grad:
            return Local(tuple(0.0 for _ in inputs), square)
        generator = torch.Generator().manual_seed(SEED)
        noise = torch.randn(result.shape, generator=generator).to(result)
        gradients = torch.autograd.grad(result, list(copies.values()), noise, allow_unused=True)
    return Local(
        tuple(0.0 if g is None else float(precise(g).square().mean()) for g in gradients),
        square,
    )


def _like(outputs: Any, wanted: torch.Tensor) -> torch.Tensor | None:
    """The output of several that has the wanted shape."""
    parts = outputs if isinstance(outputs, tuple | list) else ()
    return next((p for p in parts if isinstance(p, torch.Tensor) and p.shape == wanted.shape), None)
