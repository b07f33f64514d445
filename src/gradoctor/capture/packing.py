"""Values of a step, taken apart for a capsule and put together again.

Tensors become bytes with a name; lists, tuples, dicts and plain values become JSON. What can be
neither is left out: a replay has the script's own in its place.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from gradoctor.capsules import Raw

DTYPES = {
    torch.float64: "F64", torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16",
    torch.int64: "I64", torch.int32: "I32", torch.int16: "I16", torch.int8: "I8",
    torch.uint8: "U8", torch.bool: "BOOL",
}  # fmt: skip
_DTYPES = {name: dtype for dtype, name in DTYPES.items()}
_LONGEST = 64  # parts of a list or dict


def plain(value: Any) -> bool:
    """JSON can hold it, and it is small."""
    if isinstance(value, str):
        return len(value) <= 200
    return value is None or isinstance(value, bool | int | float)


def to_raw(x: torch.Tensor) -> Raw | None:
    """A tensor's bytes; None of a kind that the format has no name for."""
    if x.dtype not in DTYPES or x.layout is not torch.strided or x.is_quantized:
        return None
    with torch.no_grad(), torch._C.DisableTorchFunction():
        flat = x.detach().cpu().contiguous().reshape(-1)
        data = flat.view(torch.uint8).numpy().data if flat.numel() else b""
    return Raw(DTYPES[x.dtype], tuple(x.shape), data)


def from_raw(raw: Raw) -> torch.Tensor:
    """The tensor again, on the CPU."""
    dtype = _DTYPES[raw.dtype]
    if not raw.size:
        return torch.empty(raw.shape, dtype=dtype)
    return torch.frombuffer(bytearray(raw.data), dtype=dtype).reshape(raw.shape)


def pack(value: Any, name: str, tensors: dict[str, Raw], depth: int = 4) -> Any:
    """A value as JSON; its tensors are added to ``tensors`` under names that begin with ``name``.

    Tensors that the step itself has computed are left out: a replay computes them again.
    """
    if isinstance(value, torch.Tensor):
        raw = to_raw(value) if value.grad_fn is None else None
        if raw is None:
            return {"kind": "left out"}
        tensors[name] = raw
        return {"kind": "tensor", "name": name, "device": str(value.device)}
    if plain(value):
        return {"kind": "plain", "value": value}
    if depth and isinstance(value, list | tuple) and len(value) <= _LONGEST:
        parts = [pack(v, f"{name}.{i}", tensors, depth - 1) for i, v in enumerate(value)]
        return {"kind": "tuple" if isinstance(value, tuple) else "list", "parts": parts}
    if depth and isinstance(value, Mapping) and len(value) <= _LONGEST:
        named = {k: v for k, v in value.items() if isinstance(k, str)}
        inner = {k: pack(v, f"{name}.{k}", tensors, depth - 1) for k, v in named.items()}
        return {"kind": "dict", "parts": inner}
    return {"kind": "left out"}


def unpack(packed: Any, tensors: Mapping[str, Raw], own: Any) -> Any:
    """The value again; what was left out is taken from ``own``, the script's own value there."""
    kind = packed["kind"]
    if kind == "plain":
        return packed["value"]
    if kind == "tensor":
        if packed["name"] not in tensors:
            return own
        x = from_raw(tensors[packed["name"]])
        device = own.device if isinstance(own, torch.Tensor) else torch.device(packed["device"])
        return x.to(device) if device.type == "cpu" or torch.cuda.is_available() else x
    if kind in ("list", "tuple"):
        theirs = list(own) if isinstance(own, list | tuple) else []
        parts = [
            unpack(part, tensors, theirs[i] if i < len(theirs) else None)
            for i, part in enumerate(packed["parts"])
        ]
        named = isinstance(own, tuple) and hasattr(own, "_fields")
        return type(own)(*parts) if named else tuple(parts) if kind == "tuple" else parts
    if kind == "dict" and (own is None or isinstance(own, Mapping)):
        held = dict(own or {})
        new = {k: unpack(p, tensors, held.get(k)) for k, p in packed["parts"].items()}
        if type(own) in (dict, type(None)):
            return {**held, **new}
        own.update(new)  # type: ignore[union-attr]  # a mapping of a kind of its own
    return own
