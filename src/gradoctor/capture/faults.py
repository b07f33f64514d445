"""Where NaN and infinity are born: operations that can break, and what they were given."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from types import FrameType
from typing import Any

import torch

from gradoctor.capture.births import Trace, bad_kind, finite_range, is_finite, operation
from gradoctor.capture.edges import Edges
from gradoctor.capture.guard import quiet
from gradoctor.capture.lines import Lines, executed, of_backward
from gradoctor.capture.places import NOWHERE, Place
from gradoctor.capture.recorder import Look, Recorder
from gradoctor.capture.risks import Risks
from gradoctor.capture.source import caller, variables, variables_in_frames

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

SPREAD = 20e-3
"""Seconds of a step from which on three gradients are read at each, and not the first alone."""


@dataclass(slots=True)
class RiskyCall:
    """One call of an operation that can break, as it was seen."""

    op: str
    file: str | None
    line: int | None
    module: Any
    low: float
    high: float
    node: Any
    """Its autograd node when something bad was born; a node keeps its graph alive."""
    born: str
    """``nan`` or ``inf`` when its operands were finite and its result was not, else ''."""


@dataclass(slots=True)
class Origin:
    """What is known of the first bad value; see the fact ``nonfinite``."""

    where: str
    value: str
    op: str = ""
    file: str | None = None
    line: int | None = None
    module: Any = None
    low: float = math.nan
    high: float = math.nan
    dtype: str = ""
    source: str = ""
    operand: Any = None
    exact: bool = False
    step: int = 0


class Faults:
    """Watches operations that can break, and states the first one that did.

    Args:
        site_of: the site of a module.
        circumstances: what else there is to say of an origin, as data of the fact.
        seconds: how long steps take.
    """

    def __init__(
        self,
        recorder: Recorder,
        site_of: Callable[[Any], int | None],
        circumstances: Callable[[Origin], dict[str, Any]],
        seconds: Callable[[], float],
    ) -> None:
        self.recorder = recorder
        self.graph = Lines()
        self.edges = Edges()
        self.risks = Risks(recorder)
        self.circumstances = circumstances
        self.pending: Origin | None = None
        self._seconds = seconds
        self._unread: torch.Tensor | None = None
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
            low, high = finite_range(out if op in ("norm", "std") else _operand(op, args))
            born = ""
            value = out.detach()
            if not bool(torch.isfinite(value).all()) and all(is_finite(a) for a in operands):
                born = "nan" if bool(torch.isnan(value).any()) else "inf"
        file, line = caller()
        if out.requires_grad and not born and op not in ("norm", "std"):
            name = type(module).__name__ if module is not None else ""
            self.risks.observe(op, _operand(op, args), low, high, (file, line), name)
        call = RiskyCall(op, file, line, module, low, high, out.grad_fn if born else None, born)
        self.calls.append(call)
        known = self.lines.get(op)
        if known is None or _closeness(call) <= _closeness(known):
            self.lines[op] = replace(call, node=None)

    # ---- each backward -----------------------------------------------------------------------
    def at_root(self, root: torch.Tensor, place: Place, look: Look, scaled: bool) -> None:
        """A backward begins.

        Args:
            root: the loss.
            place: the line that calls backward.
            scaled: a gradient scaler multiplied the loss; it may pass over this step.
        """
        if root.grad_fn is None:
            return
        if look >= Look.DEEP:
            nodes = executed(root.grad_fn)
            self.graph.keep(place, nodes)
            self.edges.learn(place, root.grad_fn, nodes, self.graph.known[place].made)
        self.edges.hold(place, root.grad_fn, self._seconds() if look < Look.FULL else 1.0)
        self._unread = None
        if self.told or self.pending is not None:
            return
        if not readable(root, look):
            self._unread = root.detach()
        elif not math.isfinite(float(root.detach().sum())):
            self._alarm(self._forward(root, place), scaled)

    def at_step(self, params: Sequence[torch.Tensor], look: Look) -> None:
        """An optimizer is about to step: some gradient is not finite.

        A NaN that is born in backward spreads to every layer before it: few small ones tell.
        """
        unread, self._unread = self._unread, None
        if self.pending is not None:
            self.resolve()
        if self.told:
            return
        if unread is not None and readable(unread, look) and not is_finite(unread):
            self._alarm(Origin("loss", bad_kind(unread)), False)
            return
        few = _spread(params) if look >= Look.FULL or self._seconds() > SPREAD else params
        for p in few:
            grad = p.grad
            if grad is None or grad.is_sparse or not p.numel() or not readable(grad, look):
                continue
            part = grad.detach().reshape(-1)[:4096]
            if not math.isfinite(float(part.sum())) and not is_finite(part) and is_finite(p):
                self._alarm(self._backward(bad_kind(part)), False)
                return
            if few is params:
                return

    def at_end(self, frames: Sequence[FrameType]) -> None:
        """The script gives up: one of its variables may be a loss that no backward has seen."""
        if self.told:
            return
        for frame in frames:
            for value in variables(frame).values():
                loss = isinstance(value, torch.Tensor) and value.numel() == 1
                if loss and value.grad_fn is not None and not is_finite(value):
                    place = next(iter(self.graph.known), NOWHERE)
                    self._alarm(self._forward(value, place), False)
                    return

    def _alarm(self, origin: Origin, wait: bool) -> None:
        self.pending = origin
        origin.step = self.recorder.step
        if not wait:
            self.resolve()

    def withdraw(self) -> None:
        """A gradient scaler passed over the step: its ordinary work."""
        self.pending = None

    def resolve(self) -> None:
        """State what was found, and keep what is needed to see it again."""
        origin, self.pending = self.pending, None
        if origin is None:
            return
        self.told = True
        data = quiet(self.circumstances, origin) or {}
        self._state(origin.where, origin, **data)

    # ---- verdicts ----------------------------------------------------------------------------
    def _forward(self, root: torch.Tensor, place: Place) -> Origin:
        """Where the loss's bad value came from: by the graph, else as operations were seen."""
        value = bad_kind(root)
        trace = Trace(root, (t for _, _, t in variables_in_frames() if t.grad_fn is not None))
        birth = trace.birth()
        seen = next((c for c in self.calls if c.born), None)
        if birth is None or (birth.source == "constant" and seen is not None):
            # of what has no gradient the graph knows nothing; a look may have seen it made
            return self._of_call("forward" if seen is not None else "loss", value, seen)
        made = dict(zip(trace.nodes, self.graph.of(place, trace.nodes), strict=True))[birth.node]
        same = next((c for c in self.calls if c.node is birth.node), None)
        low, high = finite_range(birth.operand)
        origin = Origin(
            "forward", birth.value, operation(birth.node), made.place[0], made.place[1],
            module=made.module() if made.module is not None else None, low=low, high=high,
            dtype=birth.dtype, source=birth.source, operand=birth.operand, exact=birth.exact,
        )  # fmt: skip
        if same is not None:
            origin.file, origin.line, origin.module = same.file, same.line, same.module
            origin.low, origin.high = same.low, same.high
        elif math.isnan(low) and (known := self.lines.get(origin.op)) is not None:
            origin.file, origin.line = origin.file or known.file, origin.line or known.line
        return origin

    def _backward(self, value: str) -> Origin:
        """The derivative that was at its edge, among those that were held."""
        broken = self.edges.broken()
        if broken is None:
            near = [c for c in self.lines.values() if c.op in _BREAK_IN_BACKWARD]
            likely = self._of_call("backward", value, min(near, key=_closeness, default=None))
            likely.exact = False
            return likely
        place = broken.made.place
        if broken.function is not None:
            place = of_backward(broken.function) if broken.exact else place
        module = broken.made.module() if broken.made.module is not None else None
        return Origin(
            "backward", value, broken.op, place[0], place[1], module=module, low=broken.low,
            high=broken.high, exact=broken.exact,
        )  # fmt: skip

    @staticmethod
    def _of_call(where: str, value: str, call: RiskyCall | None) -> Origin:
        if call is None:
            return Origin(where, value)
        return Origin(where, value, call.op, call.file, call.line, module=call.module,
                      low=call.low, high=call.high, exact=True)  # fmt: skip

    def hidden(self, root_finite: bool, skipped: list[Place]) -> None:
        """The step ends: NaN that was born and did not reach backward is stated, and counted."""
        born = next((c for c in self.calls if c.born == "nan"), None)
        if skipped:
            found = self._of_call("skipped", "nan", born)
            self._state("skipped", found, count=len(skipped), place=skipped[-1])
        elif born is not None and root_finite:
            self._state("hidden", self._of_call("hidden", "nan", born))

    def close_step(self) -> None:
        """Forget the calls of this step."""
        self.resolve()
        self.calls = []
        self.graph.close_step()
        self.edges.close_step()

    def _state(
        self, where: str, origin: Origin, count: int = 1, place: Place = NOWHERE, **more: Any
    ) -> None:
        module = origin.module
        self.recorder.fact(
            "nonfinite", self._site_of(module), where, count=count,
            file=place[0] or origin.file, line=place[1] or origin.line, where=where,
            op=origin.op, value=origin.value, producer=bool(origin.op) and not origin.source,
            low=_shown(origin.low), high=_shown(origin.high), dtype=origin.dtype,
            exact=origin.exact, **more,
        )  # fmt: skip


def _spread(params: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    """The first, the middle and the last parameter that has a gradient."""
    held = [p for p in params if p.grad is not None and p.numel()]
    return held[:: max(1, (len(held) - 1) // 2)]


def readable(x: torch.Tensor, look: Look) -> bool:
    """Reading it keeps nobody waiting: it is on the CPU, the GPU is idle, or the look is deep."""
    if x.device.type == "cpu" or look >= Look.DEEP:
        return True
    return x.device.type == "cuda" and torch.cuda.current_stream(x.device).query()


def _shown(x: float) -> float | None:
    return None if math.isnan(x) else x


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


def _closeness(call: RiskyCall) -> float:
    """How near the operand is to the edge of the operation's domain: 0 is on it."""
    if call.op in ("acos", "asin"):
        return min(abs(1 - abs(call.low)), abs(1 - abs(call.high)))
    if math.isnan(call.low):
        return math.inf
    return 0.0 if call.low <= 0 <= call.high else min(abs(call.low), abs(call.high))
