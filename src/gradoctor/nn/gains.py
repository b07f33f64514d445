"""The gain of any activation, by quadrature."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from importlib import import_module

import torch

from gradoctor.errors import GradoctorError
from gradoctor.knowledge.formulary import find
from gradoctor.theory.gaussian import expectation
from gradoctor.tracing.functions import for_theory, is_elementwise

Activation = Callable[[torch.Tensor], torch.Tensor]


def gain(activation: Activation | str, *, backward: bool = False) -> float:
    """The factor that keeps the size of a signal through an activation and a layer.

    ``1 / sqrt(E[f(z)^2])`` for ``z ~ N(0, 1)``: with weights of standard deviation
    ``gain / sqrt(fan_in)``, pre-activations of unit variance give pre-activations of unit variance
    in the next layer (LeCun et al. 1998; He et al. 2015 for ReLU, where it is ``sqrt(2)``).

    It is ``torch.nn.init.calculate_gain`` for linear, ReLU and leaky ReLU. For the others PyTorch
    has conventions: tanh 5/3 (this: 1.5925), sigmoid 1 (1.8463), SELU 3/4 (1.0000).

    Args:
        activation: any callable or module that works on each element, or a name of the formulary
            (``"gelu"``).
        backward: for the gradient instead: ``1 / sqrt(E[f'(z)^2])``. No weights keep both unless
            the two are equal, as they are for ReLU.

    Raises:
        GradoctorError: it is not elementwise, gives NaN or infinity, or has no gradient.
    """
    function = _named(activation) if isinstance(activation, str) else activation
    said = activation if isinstance(activation, str) else getattr(
        activation, "__name__", type(activation).__name__
    )  # fmt: skip
    function = _in_double(function)
    _check(function, said)
    rule = for_theory(function)
    part = rule.slope if backward else rule.value
    square = expectation(lambda z: part(z) ** 2)
    if square <= 0:
        what = "gradient" if backward else "output"
        raise GradoctorError(
            f"{said} has no {what} to keep: its mean square is 0.",
            "Check that it computes with torch operations on its input, and does not detach it.",
        )
    return 1 / math.sqrt(square)


def _in_double(function: Activation) -> Activation:
    """The function for a float64 input: modules as in eval (RReLU draws), in their own dtype."""
    if not isinstance(function, torch.nn.Module):
        return function
    module = copy.deepcopy(function).eval()
    dtype = next((p.dtype for p in module.parameters()), torch.float64)

    def call(z: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = module(z.to(dtype))
        return out.double()

    return call


def _check(function: Activation, said: str) -> None:
    try:
        out = function(torch.linspace(-30.0, 30.0, 61, dtype=torch.float64))
    except Exception as fault:
        raise GradoctorError(
            f"{said} cannot be called on a tensor of one dimension ({fault}).",
            "A gain is defined for elementwise activations; measure others with lsuv_().",
        ) from None
    if isinstance(out, torch.Tensor) and not bool(out.isfinite().all()):
        raise GradoctorError(
            f"{said} gives NaN or infinity between -30 and 30.",
            "Give it a finite value on everything that a pre-activation may be.",
        )
    if not is_elementwise(function):
        raise GradoctorError(
            f"{said} does not work on each element alone, or gives another shape.",
            "A gain is defined for elementwise activations; measure others with lsuv_().",
        )


def _named(name: str) -> Activation:
    entry = find(name)
    if entry.kind != "activations" or not entry.torch:
        raise GradoctorError(
            f"{name!r} is no activation that PyTorch has.", "Give the callable itself."
        )
    home, _, attribute = entry.torch.rpartition(".")
    found = getattr(import_module(home), attribute)
    made: Activation = found() if isinstance(found, type) else found
    return made
