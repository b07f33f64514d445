"""What there is to say of a bad value besides the operation: the batch, the weights, the data."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from gradoctor.capture.births import finite_range, is_finite
from gradoctor.capture.forwards import bad_rows
from gradoctor.capture.source import variables_in_frames
from gradoctor.statistics import tensors_in

if TYPE_CHECKING:
    from gradoctor.capture.faults import Origin
    from gradoctor.capture.session import Session

OVERFLOWING = 1e4
"""Magnitude of an operand from which on its squares and sums may overflow."""

GROWN, LARGE = 1e3, 1e2
"""Times that weights have grown since the start, and their size, from which on they overflow."""


class Circumstances:
    """Answers, for one bad value: the data, the weights or the operation."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def __call__(self, origin: Origin) -> dict[str, Any]:
        """The data of the fact: ``cause``, the batch, its bad samples, the weights' size."""
        found: dict[str, Any] = {
            "cause": "operation",
            "variable": "",
            "rows": [],
            "module": self._module(origin),
        }
        rows = self._bad_inputs()
        largest, grown = self._weights()
        found |= {"weights": largest, "grown": grown}
        if origin.source == "weights" or not math.isfinite(largest):
            found["cause"] = "weights"
            origin.op = ""
        elif rows is not None and not origin.exact:
            found |= {"cause": "input", "rows": rows}
        elif origin.source == "constant":
            found |= {"cause": "data", "variable": self._variable(origin.operand)}
            found["rows"] = bad_rows(origin.operand)
        elif grown >= GROWN and largest >= LARGE and _overflows(origin):
            found["cause"] = "grown"
        told = {k: getattr(origin, k) for k in ("where", "op", "value", "file", "line")}
        kept = self.session.capsule.keep({**told, "cause": found["cause"]})
        return found | self._batch(found.get("rows") or []) | kept

    def _module(self, origin: Origin) -> str:
        module = origin.module
        return self.session.models.name_of(module) if module is not None else ""

    def _bad_inputs(self) -> list[int] | None:
        """Samples of the batch in which an argument of a model is bad; None when all is well.

        Minus infinity may be a mask: it counts in the first argument only.
        """
        for forward in self.session.forwards.group:
            given = tensors_in((forward.args, forward.kwargs))
            for number, x in enumerate(given):
                if is_finite(x) or (number and not bool(torch.isnan(x).any())):
                    continue
                return bad_rows(x)
        return None

    def _weights(self) -> tuple[float, float]:
        """Largest magnitude among the weights, and how much the most grown one has grown."""
        largest, grown = 0.0, 1.0
        for info in list(self.session.models.parameters.values()):
            p = info.tensor()
            if p is None or not p.numel() or not p.is_floating_point() or p.is_sparse:
                continue
            if not is_finite(p):
                return math.inf, math.inf
            low, high = finite_range(p)
            size = max(abs(low), abs(high))
            largest = max(largest, size)
            first = self.session.parameters.start.get(info.site)
            begun = max(map(abs, finite_range(first))) if first is not None else math.nan
            if begun > 0:
                grown = max(grown, size / begun)
        return largest, grown

    def _variable(self, operand: torch.Tensor | None) -> str:
        """The script's name of a tensor that is one of its variables."""
        if operand is None:
            return ""
        where = operand.data_ptr()
        return next((n for n, t in self._variables() if t.data_ptr() == where), "")

    @staticmethod
    def _variables() -> Iterator[tuple[str, torch.Tensor]]:
        for _, name, tensor in variables_in_frames():
            if tensor.layout is torch.strided and tensor.numel():
                yield name, tensor

    def _batch(self, rows: list[int]) -> dict[str, Any]:
        """Where the batch stands in its loader, and the data set's indices of the bad samples."""
        drawn = self.session.loaders.latest
        if drawn is None:
            return {"loader": "", "epoch": None, "batch": None, "samples": []}
        indices = drawn.indices or []
        samples = [indices[r] for r in rows if r < len(indices)]
        return {
            "loader": drawn.loader, "epoch": drawn.epoch, "batch": drawn.batch,
            "samples": [s for s in samples if isinstance(s, int)],
        }  # fmt: skip


def _overflows(origin: Origin) -> bool:
    """What it worked on was large, as far as it is known: not at the edge of a domain."""
    size = max(abs(origin.low), abs(origin.high))
    return math.isnan(size) or size >= OVERFLOWING
