"""Moments of real tensors: what theory predicts, measured."""

from __future__ import annotations

import math

import torch

from gradoctor.statistics import unit_dim
from gradoctor.theory.signal import Moments


def precise(tensor: torch.Tensor) -> torch.Tensor:
    """The values in double precision, where the device has it (Apple's does not)."""
    values = tensor.detach()
    return values.float() if values.device.type == "mps" else values.double()


def measure(tensor: torch.Tensor, convolution: bool = False) -> Moments:
    """Moments over all elements; samples are what is left when the units are taken out."""
    values = tensor.detach()
    if not values.numel() or not values.is_floating_point():
        return Moments(0.0, 0.0, 0.0)
    if values.dim() == 0:
        values = values.reshape(1, 1)
    values = precise(values)
    mean, square = float(values.mean()), float(values.square().mean())
    at = unit_dim(values, convolution)
    units = values.movedim(at, -1).reshape(-1, values.shape[at])
    count = units.shape[0]
    if count < 2:
        return Moments(mean, square, mean**2)
    common = float(units.mean(dim=0).square().mean())
    return Moments(mean, square, (count * common - square) / (count - 1))


LEVELS = 8
"""Groups of samples that are followed apart."""


def levels(tensor: torch.Tensor) -> tuple[float, ...]:
    """Mean squares of equal groups of samples, from quiet to loud, relative to the whole."""
    if tensor.dim() < 2 or tensor.shape[0] < 2 * LEVELS:
        return ()
    loud = precise(tensor).flatten(1).square().mean(dim=1).sort().values
    whole = float(loud.mean())
    groups = torch.tensor_split(loud, LEVELS)
    return tuple(float(g.mean()) / whole for g in groups) if whole > 0 else ()


def spread_of(tensor: torch.Tensor | None) -> tuple[float, float]:
    """Mean and mean square of a parameter; zeros when there is none."""
    if tensor is None or not tensor.numel():
        return 0.0, 0.0
    values = precise(tensor)
    return float(values.mean()), float(values.square().mean())


def sample_size(tensor: torch.Tensor) -> int:
    """Elements of one sample: all but the first dimension."""
    return math.prod(tensor.shape[1:]) if tensor.dim() > 1 else 1
