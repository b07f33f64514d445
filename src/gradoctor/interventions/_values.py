"""Changes each tensor of a nested value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch


def mapped(value: Any, change: Callable[[torch.Tensor], Any]) -> Any:
    """The value with ``change`` of each tensor in its tuples, lists and dicts; others as is."""
    if isinstance(value, torch.Tensor):
        return change(value)
    if isinstance(value, dict) and type(value) is dict:
        return {key: mapped(part, change) for key, part in value.items()}
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return type(value)(*(mapped(part, change) for part in value))
    if type(value) in (tuple, list):
        return type(value)(mapped(part, change) for part in value)
    return value


def copied(value: Any) -> Any:
    """The value with a copy of each tensor that no gradient comes back to."""
    return mapped(value, lambda t: t if t.requires_grad else t.detach().clone())
