"""Tensors inside the arguments and results of calls."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch


def tensors(value: Any, depth: int = 3) -> Iterator[torch.Tensor]:
    """Every tensor in a tensor, tuple, list, dict or model output, outermost first."""
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
        yield from tensors(part, depth - 1)
