"""What every kernel needs first: values as plain real floats, and fixed samples of them."""

from __future__ import annotations

import torch

HALF = (torch.float16, torch.bfloat16)


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
    stride = size // n
    if stride % 2 == 0:  # an odd stride visits every column of power-of-two shapes
        stride += 1
    return flat[::stride][:n]


def rms_and_absmax(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Exact rms and largest magnitude (0-dim float32); both NaN or infinite when x is."""
    if x.numel() == 0:
        nan = torch.full((), float("nan"), device=x.device)
        return nan, nan
    kind = torch.float32 if x.dtype in HALF else None
    norm = torch.linalg.vector_norm(x, 2, dtype=kind)
    largest = torch.linalg.vector_norm(x, float("inf"), dtype=kind)
    return norm.float() / x.numel() ** 0.5, largest.float()
