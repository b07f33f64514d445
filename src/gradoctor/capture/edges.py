"""Operations whose derivative breaks where their value does not: what they kept, held a while.

A NaN that is born in backward is seen when the backward has run, and by then autograd has let go
of what it kept. So the operands of the few operations that can do it are held from the start of
each backward to the end of the step. Which they are is known from the last deep look.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from gradoctor.capture.births import finite_range, is_finite, operation, saved, stem
from gradoctor.capture.graph import Node
from gradoctor.capture.guard import quiet
from gradoctor.capture.lines import Made, is_function
from gradoctor.capture.places import Place

HOPS, WIDTH = 400, 24
"""Steps through the graph that a backward may cost, and operations that are held."""

NEAR, SHARE, HOP = 12, 5e-3, 1e-6
"""Hops that are always made; else this share of a step's time, at a microsecond each."""

LONG = 2e-3
"""Seconds of a step from which on a hook, which costs 10 microseconds, is put on a node."""

FUNCTIONS = 2
"""A user's own autograd functions whose backward is listened to."""


def _power(kept: dict[str, Any]) -> torch.Tensor:
    base, exponent = kept["self"], kept["exponent"]
    slope = exponent * torch.pow(base, exponent - 1)
    return torch.as_tensor(~torch.isfinite(slope))


KEEPS = {
    "Sqrt": ("result",), "Rsqrt": ("result",), "Reciprocal": ("result",), "Exp": ("result",),
    "Pow": ("self", "exponent"), "Xlogy": ("other",), "Div": ("other",),
    "Atan2": ("self", "other"), "LinalgVectorNorm": ("result",),
}  # fmt: skip
"""What is read of each, ``self`` where nothing is said."""

EDGES: dict[str, Callable[[dict[str, Any]], torch.Tensor]] = {
    "Sqrt": lambda kept: ~(kept["result"] > 0),
    "Rsqrt": lambda kept: ~torch.isfinite(kept["result"]),
    "Reciprocal": lambda kept: ~torch.isfinite(kept["result"]),
    "Exp": lambda kept: ~torch.isfinite(kept["result"]),
    "Pow": _power,
    "Acos": lambda kept: kept["self"].abs() >= 1,
    "Asin": lambda kept: kept["self"].abs() >= 1,
    "Atanh": lambda kept: kept["self"].abs() >= 1,
    "Acosh": lambda kept: kept["self"] <= 1,
    "Log": lambda kept: kept["self"] == 0,
    "Log2": lambda kept: kept["self"] == 0,
    "Log10": lambda kept: kept["self"] == 0,
    "Log1P": lambda kept: kept["self"] == -1,
    "Xlogy": lambda kept: kept["other"] == 0,
    "Div": lambda kept: kept["other"] == 0,
    "Atan2": lambda kept: (kept["self"] == 0) & (kept["other"] == 0),
    "LinalgVectorNorm": lambda kept: kept["result"] == 0,
}
"""Where the derivative is infinite or undefined, of what autograd keeps for it."""

_CANNOT = frozenset({"LinalgVectorNorm", "Atan2"})
"""PyTorch gives 0 at the edge of these, in the versions that do; asked last."""


@dataclass(slots=True)
class Held:
    """One operation of the backward that runs, and what was kept for it."""

    node: Node
    kept: dict[str, Any]
    made: Made
    came: tuple[Any, ...] = ()
    left: tuple[Any, ...] = ()


@dataclass(slots=True)
class Way:
    """A branching way from a root to the nodes that are held."""

    made: Made | None = None
    name: str = ""
    on: dict[int, Way] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Broken:
    """The operation whose derivative broke."""

    op: str
    made: Made
    exact: bool
    low: float
    high: float
    function: Node | None


class Edges:
    """Holds what breakable operations kept, for as long as a step lasts."""

    def __init__(self) -> None:
        self.held: list[Held] = []
        self._ways: dict[Place, Way] = {}
        self._handles: list[Any] = []

    # ---- deep looks --------------------------------------------------------------------------
    def learn(self, place: Place, root: Node, nodes: list[Node], made: list[Made]) -> None:
        """Keep the ways from this line's root to the operations that can break in backward."""
        wanted = {n: m for n, m in zip(nodes, made, strict=True) if _can_break(n)}
        top = self._ways[place] = Way()
        if not wanted:
            return
        back: dict[Node, tuple[Node, int] | None] = {root: None}
        queue, found, hops = [root], 0, 0
        while queue and found < WIDTH:
            node = queue.pop(0)
            if node in wanted:
                path: list[int] = []
                at = back[node]
                while at is not None:
                    path.append(at[1])
                    at = back[at[0]]
                hops += _lay(top, path[::-1], wanted[node], str(node.name()))
                found += 1
                if hops > HOPS:
                    return
            for number, (parent, _) in enumerate(node.next_functions):
                if parent is not None and parent not in back:
                    back[parent] = (node, number)
                    queue.append(parent)

    # ---- every backward ----------------------------------------------------------------------
    def hold(self, place: Place, root: Node, seconds: float) -> None:
        """A backward begins: hold what its breakable operations kept.

        Args:
            seconds: how long a step takes. Where it is short, we go less far, and do not hear
                what a user's own autograd functions are given and give back.
        """
        way = self._ways.get(place)
        if way is None or not (way.on or way.made):
            return
        queue = [(root, way)]
        hops = min(HOPS, max(NEAR, int(seconds * SHARE / HOP)))
        for node, at in queue:
            if at.made is not None and node.name() == at.name:
                self._hold_one(node, at.made, seconds < LONG)
            if at.on and len(queue) < hops:
                edges = node.next_functions
                for number, further in at.on.items():
                    if number < len(edges) and edges[number][0] is not None:
                        queue.append((edges[number][0], further))

    def _hold_one(self, node: Node, made: Made, silent: bool) -> None:
        function = is_function(node)
        held = Held(node, _kept(node), made)
        self.held.append(held)
        if function and not silent and len(self._handles) < FUNCTIONS:
            self._handles.append(node.register_hook(partial(_hear, held)))

    def broken(self) -> Broken | None:
        """The operation nearest to the loss whose derivative was at its edge."""
        with torch.no_grad(), torch._C.DisableTorchFunction():
            heard = [h for h in self.held if h.came and _born_in(h)]
            edge = [h for h in self.held if not is_function(h.node) and _at_edge(h)]
        sure = [*heard, *(h for h in edge if stem(h.node) not in _CANNOT)]
        maybe = [h for h in self.held if is_function(h.node) and not h.came]
        for found, exact in ((sure, True), (maybe, False), (edge, False)):
            if found:
                best = max(found, key=lambda h: h.node._sequence_nr())
                operand = best.kept.get("other" if stem(best.node) == "Div" else "self")
                low, high = finite_range(
                    operand if operand is not None else best.kept.get("result")
                )
                function = best.node if is_function(best.node) else None
                return Broken(operation(best.node), best.made, exact, low, high, function)
        return None

    def close_step(self) -> None:
        """Let go."""
        if self.held:
            self.held = []
        for handle in self._handles:
            handle.remove()
        self._handles = []


def _can_break(node: Node) -> bool:
    if is_function(node):
        return True
    name = stem(node)
    if name == "Pow":
        exponent = quiet(getattr, node, "_saved_exponent")
        return not (isinstance(exponent, int | float) and exponent >= 1)
    if name in ("Div", "Xlogy"):
        return isinstance(quiet(getattr, node, "_saved_other"), torch.Tensor)
    return name in EDGES


def _lay(top: Way, path: list[int], made: Made, name: str) -> int:
    """Lay a path below ``top``; gives the steps that it adds."""
    added, at = 0, top
    for number in path:
        if number not in at.on:
            at.on[number] = Way()
            added += 1
        at = at.on[number]
    at.made, at.name = made, name
    return added


def _kept(node: Node) -> dict[str, Any]:
    if is_function(node):
        tensors = saved(node)
        return {"self": tensors[0]} if tensors else {}
    return {key: getattr(node, f"_saved_{key}") for key in KEEPS.get(stem(node), ("self",))}


def _at_edge(held: Held) -> bool:
    mask = quiet(EDGES[stem(held.node)], held.kept)
    return mask is not None and bool(mask.any())


def _born_in(held: Held) -> bool:
    came = [t for t in held.came if isinstance(t, torch.Tensor)]
    left = [t for t in held.left if isinstance(t, torch.Tensor)]
    return all(map(is_finite, came)) and not all(map(is_finite, left))


def _hear(held: Held, left: tuple[Any, ...], came: tuple[Any, ...]) -> None:
    held.left, held.came = left, came
