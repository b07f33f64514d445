"""What every kernel needs first: values as plain real floats, and fixed samples of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

HALF = (torch.float16, torch.bfloat16)
FLOAT_MAX = torch.finfo(torch.float32).max
LEAST, MOST = 1e-10, 1e18
"""Between these the float32 2-norm of up to a billion elements is right."""
MANY = 2048


def tensors_in(value: Any, depth: int = 3) -> Iterator[torch.Tensor]:
    """Every tensor in a tensor, tuple, list, dict, dataclass or model output, outermost first."""
    if isinstance(value, torch.Tensor):
        yield value
        return
    parts: Any = ()
    if isinstance(value, dict):
        parts = value.values()
    elif isinstance(value, tuple | list):
        parts = value
    elif hasattr(value, "__dataclass_fields__"):
        parts = [getattr(value, name, None) for name in value.__dataclass_fields__]
    for part in parts if depth else ():
        yield from tensors_in(part, depth - 1)


def unit_dim(output: torch.Tensor, convolution: bool = False) -> int:
    """The dimension that counts units: channels of images and signals, else the last one.

    A 3-D output is taken as ``[batch, time, features]`` unless a convolution made it.
    """
    return 1 if convolution or output.dim() >= 4 else -1


def values_of(x: torch.Tensor) -> torch.Tensor:
    """A dense, real, floating view of a tensor: sparse to its values, complex to pairs of reals."""
    x = x.detach()
    if x.is_sparse:
        x = x.coalesce().values()
    if x.is_complex():
        x = torch.view_as_real(x)
    return x if x.is_floating_point() else x.float()


def sample(x: torch.Tensor, n: int) -> torch.Tensor:
    """A fixed flat sample of at most ``n`` elements at equal strides; no copy when contiguous."""
    flat = x.detach().reshape(-1)
    size = flat.numel()
    if size <= n:
        return flat
    stride = -(-size // n) | 1  # an odd stride visits every column of power-of-two shapes
    return flat[::stride]


def rms_of(x: torch.Tensor) -> torch.Tensor:
    """Exact rms (0-dim float32); NaN of nothing."""
    if x.numel() == 0:
        return torch.full((), float("nan"), device=x.device)
    return to_float(norm_of(x) / x.numel() ** 0.5)


def zero_fraction(x: torch.Tensor) -> torch.Tensor:
    """Share of the elements that are 0 (0-dim float32); NaN of nothing."""
    count, size = torch.count_nonzero(x), x.numel()
    if not size:
        return torch.full((), float("nan"), device=x.device)
    if x.device.type == "cpu":
        return torch.tensor((size - int(count)) / size)
    return (size - count) / size


def rms_and_absmax(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Exact rms and largest magnitude (0-dim float32); both NaN or infinite when x is."""
    rms = rms_of(x)
    return (rms, absmax_of(x)) if x.numel() else (rms, rms)


def norm_of(x: torch.Tensor) -> torch.Tensor:
    """The 2-norm (0-dim); squares that float32 cannot hold are taken in float64."""
    if x.device.type == "cuda":  # looking at a first result would wait for the device
        wide: torch.Tensor = torch.linalg.vector_norm(x, 2, dtype=torch.float64)
        return wide
    norm: torch.Tensor = torch.linalg.vector_norm(
        x, 2, dtype=torch.float32 if x.dtype in HALF else None
    )
    if x.device.type == "cpu" and not LEAST < float(norm) < MOST:
        norm = torch.linalg.vector_norm(x, 2, dtype=torch.float64)
    return norm


def absmax_of(x: torch.Tensor) -> torch.Tensor:
    """The largest magnitude (0-dim float32)."""
    if x.device.type == "cpu" and x.numel() > MANY:
        low, high = torch.aminmax(x)  # 30 times as fast as the infinity norm
        return to_float(torch.maximum(high, -low))
    kind = torch.float32 if x.dtype in HALF else None
    return to_float(torch.linalg.vector_norm(x, float("inf"), dtype=kind))


def to_float(x: torch.Tensor) -> torch.Tensor:
    """As float32; what is finite in float64 stays finite."""
    if x.dtype == torch.float64:
        x = torch.where(torch.isfinite(x), x.clamp(-FLOAT_MAX, FLOAT_MAX), x)
    return x.float()


def scaled(x: torch.Tensor, absmax: torch.Tensor) -> torch.Tensor:
    """``x`` as float32 with largest magnitude 1, so that its squares neither over- nor underflow.

    Twice by the root: one over the least float32 is infinite.
    """
    root = absmax.clamp_min(1e-38).sqrt()
    return ((x if x.dtype == torch.float64 else x.float()) / root / root).float()
