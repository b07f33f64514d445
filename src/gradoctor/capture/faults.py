"""Where NaN and infinity are born: operations that can break, and what they were given."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch

from gradoctor.capture.graph import Node, in_order
from gradoctor.capture.guard import quiet
from gradoctor.capture.places import Place
from gradoctor.capture.recorder import Recorder
from gradoctor.capture.source import caller

_NAMES = {
    "div": ("div", "true_divide", "__truediv__", "__rtruediv__", "__div__", "__rdiv__", "div_"),
    "pow": ("pow", "__pow__", "__rpow__", "float_power"),
    "norm": ("norm", "vector_norm", "cdist", "normalize"),
    "std": ("std", "std_mean"),
}
_ALONE = (
    "log", "log2", "log10", "log1p", "sqrt", "rsqrt", "reciprocal", "exp", "expm1", "acos", "asin",
    "atanh", "tan",
)  # fmt: skip
RISKY: dict[str, str] = {alias: name for name, them in _NAMES.items() for alias in them} | {
    name: name for name in _ALONE
}
"""Operations that can turn finite operands into NaN or infinity, by the name torch calls them."""

_BREAK_IN_BACKWARD = frozenset({"sqrt", "norm", "std", "pow", "acos", "asin", "div", "rsqrt"})
"""Operations with a finite value and an infinite derivative at the edge of their domain."""

_REPEAT: dict[str, Callable[..., torch.Tensor]] = {
    "Log": torch.log, "Log2": torch.log2, "Log10": torch.log10, "Log1P": torch.log1p,
    "Div": torch.div, "Mul": torch.mul, "Acos": torch.acos, "Asin": torch.asin,
    "Atanh": torch.atanh, "Pow": torch.pow, "Sqrt": torch.sqrt,
}  # fmt: skip


@dataclass(slots=True)
class RiskyCall:
    """One call of an operation that can break, as it was seen."""

    op: str
    file: str | None
    line: int | None
    module: Any
    low: float
    high: float
    born: str
    """``nan`` or ``inf`` when its operands were finite and its result was not, else ''."""


class Faults:
    """Watches operations that can break, and states the first one that did."""

    def __init__(self, recorder: Recorder, site_of: Callable[[Any], int | None]) -> None:
        self.recorder = recorder
        self._site_of = site_of
        self.calls: list[RiskyCall] = []
        self.lines: dict[str, RiskyCall] = {}
        self.told = False
        self._kinds: dict[Any, str] = {}

    def kind(self, func: Any) -> str:
        """The risky operation that a callable is, '' when it is none."""
        found = self._kinds.get(func)
        if found is None:
            found = self._kinds[func] = RISKY.get(getattr(func, "__name__", ""), "")
        return found

    # ---- operations --------------------------------------------------------------------------
    def observe(self, op: str, args: tuple[Any, ...], out: Any, module: Any) -> None:
        """A risky operation was run in training, on the CPU or in a deep look."""
        out = out[0] if isinstance(out, tuple) else out
        operands = [a for a in args[:2] if isinstance(a, torch.Tensor) and a.is_floating_point()]
        if not isinstance(out, torch.Tensor) or not operands or len(self.calls) >= 256:
            return
        if not _can_break(op, args):
            return
        with torch.no_grad(), torch._C.DisableTorchFunction():
            low, high = _range(out if op in ("norm", "std") else _operand(op, args))
            born = ""
            value = out.detach()
            if not bool(torch.isfinite(value).all()) and all(_is_finite(a) for a in operands):
                born = "nan" if bool(torch.isnan(value).any()) else "inf"
        file, line = caller()
        call = RiskyCall(op, file, line, module, low, high, born)
        self.calls.append(call)
        known = self.lines.get(op)
        if known is None or _closeness(call) <= _closeness(known):
            self.lines[op] = call

    # ---- verdicts ----------------------------------------------------------------------------
    def at_root(self, root: torch.Tensor) -> None:
        """A backward begins: the loss is not finite (looked at on the CPU only)."""
        if self.told or root.device.type != "cpu" or math.isfinite(float(root.detach().sum())):
            return
        self.told = True
        born = next((c for c in self.calls if c.born), None)
        if born is None:
            born = quiet(self._from_graph, root.grad_fn)
        value = "nan" if bool(torch.isnan(root.detach()).any()) else "inf"
        self._state("forward" if born is not None else "loss", value, born)

    def at_step(self, params: Iterable[torch.Tensor]) -> None:
        """An optimizer is about to step: the gradient nearest to the input is not finite.

        A NaN that is born in backward spreads to every layer before it: one small gradient tells.
        """
        if self.told:
            return
        first = next((p for p in params if p.grad is not None and p.numel()), None)
        if first is None or first.grad is None or first.device.type != "cpu":
            return
        grad = first.grad.detach()
        if grad.is_sparse or math.isfinite(float(grad.reshape(-1)[:4096].sum())):
            return
        if not bool(torch.isfinite(first.detach()).all()):
            return
        self.told = True
        edge = [c for c in self.calls if c.op in _BREAK_IN_BACKWARD] or [
            c for c in self.lines.values() if c.op in _BREAK_IN_BACKWARD
        ]
        self._state("backward", "nan", min(edge, key=_closeness, default=None))

    def hidden(self, root_finite: bool, skipped: list[Place]) -> None:
        """The step ends: NaN that was born and did not reach backward is stated, and counted."""
        born = next((c for c in self.calls if c.born == "nan"), None)
        if skipped:
            self._state("skipped", "nan", born, count=len(skipped), place=skipped[-1])
        elif born is not None and root_finite:
            self._state("hidden", "nan", born)

    def close_step(self) -> None:
        """Forget the calls of this step."""
        self.calls = []

    def _from_graph(self, root: Node) -> RiskyCall | None:
        """The first operation of the graph that made something bad of finite operands."""
        for node in in_order(root):
            name = str(node.name()).split("Backward", maxsplit=1)[0]
            op = name.lower()
            saved = [quiet(getattr, node, key) for key in ("_saved_self", "_saved_other")]
            tensors = [s for s in saved if isinstance(s, torch.Tensor)]
            result = quiet(getattr, node, "_saved_result")
            if not isinstance(result, torch.Tensor) and name in _REPEAT and tensors:
                result = quiet(_repeat, name, node, tensors)
            if not isinstance(result, torch.Tensor) or _is_finite(result):
                continue
            if not all(_is_finite(t) for t in tensors):
                continue
            seen = self.lines.get(op)
            low, high = _range(tensors[-1]) if tensors else (math.nan, math.nan)
            born = RiskyCall(op, None, None, None, low, high, "nan")
            if seen is not None:
                born.file, born.line, born.module = seen.file, seen.line, seen.module
            return born
        return None

    def _state(
        self,
        where: str,
        value: str,
        call: RiskyCall | None,
        count: int = 1,
        place: Place = (None, None),
    ) -> None:
        site = self._site_of(call.module) if call is not None else None
        self.recorder.fact(
            "nonfinite", site, where, count=count,
            file=place[0] or (call.file if call else None),
            line=place[1] or (call.line if call else None),
            where=where, op=call.op if call else "", value=value, producer=call is not None,
            low=call.low if call else None, high=call.high if call else None,
        )  # fmt: skip


def _can_break(op: str, args: tuple[Any, ...]) -> bool:
    """Not by a plain number, and no power that is smooth at 0."""
    other = args[1] if len(args) > 1 else None
    if op == "div":
        return isinstance(other, torch.Tensor)
    return not (op == "pow" and isinstance(other, int | float) and other >= 1)


def _operand(op: str, args: tuple[Any, ...]) -> torch.Tensor:
    """The operand that decides: the divisor of a division, else the first."""
    chosen = args[1] if op == "div" and isinstance(args[1], torch.Tensor) else args[0]
    return chosen if isinstance(chosen, torch.Tensor) else args[1]


def _range(x: torch.Tensor) -> tuple[float, float]:
    x = x.detach()
    if not x.numel():
        return math.nan, math.nan
    finite = x[torch.isfinite(x)] if not _is_finite(x) else x
    if not finite.numel():
        return math.nan, math.nan
    low, high = torch.aminmax(finite)
    return float(low), float(high)


def _is_finite(x: torch.Tensor) -> bool:
    return bool(torch.isfinite(x.detach()).all())


def _closeness(call: RiskyCall) -> float:
    """How near the operand is to the edge of the operation's domain: 0 is on it."""
    if call.op in ("acos", "asin"):
        return min(abs(1 - abs(call.low)), abs(1 - abs(call.high)))
    if math.isnan(call.low):
        return math.inf
    return 0.0 if call.low <= 0 <= call.high else min(abs(call.low), abs(call.high))


def _repeat(name: str, node: Node, tensors: list[torch.Tensor]) -> torch.Tensor:
    with torch.no_grad(), torch._C.DisableTorchFunction():
        if name == "Pow":
            return torch.pow(tensors[0], node._saved_exponent)
        return _REPEAT[name](*tensors)
