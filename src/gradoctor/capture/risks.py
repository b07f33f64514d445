"""How near operations that can break come to the edge, while nothing has broken yet."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch

from gradoctor.capture.graph import parents
from gradoctor.capture.recorder import Recorder

NEAR = 3.0
"""Bits between an operand and the range where the operation breaks."""
_PASSED = frozenset(
    {
        "Gather", "Index", "IndexSelect", "Select", "Slice", "View", "UnsafeView", "ReshapeAlias",
        "Squeeze", "Unsqueeze", "Transpose", "T", "Permute", "ToCopy", "Diagonal",
    }
)  # fmt: skip
_LOGS = frozenset({"log", "log2", "log10"})
_ROOTS = frozenset({"rsqrt", "reciprocal", "div"})
_POWERS = frozenset({"exp", "expm1"})
_ARCS = frozenset({"acos", "asin", "atanh"})


@dataclass(slots=True)
class Line:
    """What was seen at one line that calls such an operation."""

    room: float = math.inf
    operand: float = math.nan
    near: int = 0
    looks: int = 0
    step: int = -1


class Risks:
    """States each line whose operation can break, with the least room that was seen there."""

    def __init__(self, recorder: Recorder) -> None:
        self.recorder = recorder
        self._lines: dict[str, Line] = {}

    def observe(
        self, op: str, operand: torch.Tensor, low: float, high: float, place: Any, module: str
    ) -> None:
        """An operation gave something that a gradient flows through.

        Args:
            operand: what decides: the divisor of a division, else the first operand.
            low, high: its smallest and largest finite element.
        """
        value, bits = room(op, operand, low, high)
        if math.isnan(bits):
            return
        file, number = place
        key = f"{op}:{file}:{number}"
        line = self._lines.setdefault(key, Line())
        first = not line.looks
        fresh = line.step != self.recorder.step
        line.looks += fresh
        line.near += fresh and bits < NEAR
        line.step = self.recorder.step
        if bits >= line.room and not (fresh and bits < NEAR):
            return
        line.room, line.operand = min((line.room, line.operand), (bits, value))
        made = maker(operand) if first else self.recorder.known_fact("risky", None, key)
        self.recorder.fact(
            "risky", None, key, file=file, line=number, op=op, room=line.room,
            operand=line.operand, near=line.near, looks=line.looks, module=module,
            made=made if isinstance(made, str) else made.data["made"] if made else "",
            dtype=str(operand.dtype).removeprefix("torch."),
        )  # fmt: skip


def room(op: str, x: torch.Tensor, low: float, high: float) -> tuple[float, float]:
    """The element nearest to the edge of an operation's domain, and how many bits it is away.

    The edge of logarithms, roots and divisions is the smallest number that is not flushed to zero
    (float16 keeps subnormal ones); that of ``exp`` its largest argument. NaN: not judged.
    """
    if not x.is_floating_point() or math.isnan(low):
        return math.nan, math.nan
    info = torch.finfo(x.dtype)
    least = info.tiny * (info.eps if x.dtype == torch.float16 else 1.0)
    if op in _POWERS:
        return high, (math.log(info.max) - high) / math.log(2.0)
    if op in _ARCS:
        far = max(abs(low), abs(high))
        return far, _bits(1.0 - far, info.eps)
    if op in _LOGS or op == "sqrt":
        return low, _bits(low, least)
    if op in _ROOTS:
        near = float(x.detach().abs().min()) if low <= 0.0 <= high else min(abs(low), abs(high))
        return near, _bits(near, least)
    return math.nan, math.nan


def _bits(value: float, least: float) -> float:
    return math.log2(value / least) if value > 0 else -1.0


def maker(x: torch.Tensor) -> str:
    """The operation that made a tensor, views and selections passed over, such as ``softmax``."""
    node = x.grad_fn
    for _ in range(6):
        if node is None:
            return ""
        name = str(node.name()).split("Backward", maxsplit=1)[0]
        if name not in _PASSED:
            return name.lower()
        behind = parents(node)
        node = behind[0] if behind else None
    return ""
