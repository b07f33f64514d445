"""Layer-sequential unit-variance initialisation."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd

from gradoctor.errors import GradoctorError
from gradoctor.tracing import untouched
from gradoctor.tracing.moments import precise

LAYERS = (nn.Linear, _ConvNd)


@torch.no_grad()
def lsuv_(model: nn.Module, *inputs: Any, gain: float | None = None) -> dict[str, float]:
    """Orthogonal weights, then each layer scaled so that its output has unit variance on a batch.

    Mishkin, Matas: All you need is a good init. ICLR 2016. One forward does it: a layer is linear,
    so its output is rescaled with its weight before the next layer sees it. Biases become 0.

    Args:
        model: its linear and convolution layers are changed in place, in the order they run.
        inputs: what ``model(*inputs)`` takes: a batch of real data.
        gain: standard deviation of the outputs, 1 when not given.

    Returns:
        The factor that each layer's weight was multiplied with, by name.

    Raises:
        GradoctorError: no linear or convolution layer ran, or the output of one is constant.
    """
    target = 1.0 if gain is None else gain
    names = {m: name for name, m in model.named_modules() if isinstance(m, LAYERS)}
    factors: dict[str, float] = {}

    def scale(module: Any, args: Any, output: torch.Tensor) -> torch.Tensor | None:
        if names[module] in factors:
            return None  # shared: its first use decides
        deviation = float(precise(output).std())
        if not 0 < deviation < float("inf"):
            raise GradoctorError(
                f"The layer {names[module]!r} gives the same value everywhere, or NaN.",
                "Give a batch of real, finite data with more than one sample.",
            )
        factor = factors[names[module]] = target / deviation
        module.weight.mul_(factor)
        return output * factor

    for module in names:
        nn.init.orthogonal_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    handles = [module.register_forward_hook(scale) for module in names]
    try:
        with untouched(model):
            model(*inputs)
    finally:
        for handle in handles:
            handle.remove()
    if not factors:
        raise GradoctorError(
            "No linear or convolution layer of this model ran.", "Check the model and its inputs."
        )
    return factors
