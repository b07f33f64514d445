"""Which operation of a graph made the first bad value that reached its root.

Works on the graph alone, so it needs no hooks: autograd keeps operands and results of many
operations, each of which is the result of another. Reads and computes; changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import torch

from gradoctor.capture.graph import Node, parents
from gradoctor.capture.guard import quiet
from gradoctor.capture.lines import executed, is_function

Value = tuple[Node, int]
"""A result of a node: the node and the number of its output."""

_REPEAT: dict[str, Callable[..., torch.Tensor]] = {
    "Log": torch.log, "Log2": torch.log2, "Log10": torch.log10, "Log1P": torch.log1p,
    "Div": torch.div, "Mul": torch.mul, "Acos": torch.acos, "Asin": torch.asin,
    "Atanh": torch.atanh, "Acosh": torch.acosh, "Pow": torch.pow, "Mm": torch.mm,
    "Bmm": torch.bmm, "Mean": torch.mean, "Sum": torch.sum,
}  # fmt: skip
"""Operations whose result follows from the operands that autograd kept."""

_BREAKING = frozenset({
    "Log", "Log2", "Log10", "Log1P", "Div", "Acos", "Asin", "Atanh", "Acosh", "Pow", "Sqrt",
    "Rsqrt", "Reciprocal", "Exp", "Exp2", "Expm1", "Sinh", "Cosh", "Tan", "Mm", "Bmm", "Addmm",
    "Addbmm", "Baddbmm", "Mul", "Prod", "Cumprod", "LinalgVectorNorm", "Convolution", "Std",
    "Var", "ScaledDotProductFlashAttentionForCpu",
})  # fmt: skip
"""Operations that can make a bad value of good ones; views, sums and copies hardly can."""


@dataclass(frozen=True, slots=True)
class Birth:
    """The operation that made the first bad value, as far as the graph tells.

    Attributes:
        node: of the operation.
        value: ``nan`` or ``inf``, of its result (of the root when the result is not known).
        exact: what went in is known to be finite, and what came out is not.
        source: '' when the operation made it, ``weights`` when a leaf was bad already,
            ``constant`` when another operand was.
        operand: what it worked on, where that is known.
        dtype: of the result, '' when unknown.
    """

    node: Node
    value: str
    exact: bool
    source: str
    operand: torch.Tensor | None
    dtype: str


def stem(node: Node) -> str:
    """``SqrtBackward0`` as ``Sqrt``; a Python function's own name."""
    name = str(node.name())
    if is_function(node):
        return name.removesuffix("Backward")
    return name.split("Backward", maxsplit=1)[0]


def operation(node: Node) -> str:
    """What a user calls the operation: ``sqrt``, ``log_softmax``; a function by its class."""
    name = stem(node)
    if is_function(node):
        return name
    known = {"Mm": "matmul", "Bmm": "matmul", "Addmm": "linear", "LinalgVectorNorm": "norm"}
    if name in known:
        return known[name]
    words = "".join(f"_{c.lower()}" if c.isupper() else c for c in name)
    return words.strip("_")


def is_finite(x: torch.Tensor) -> bool:
    """No element is NaN or infinite."""
    x = x.detach()
    return not x.is_floating_point() or bool(torch.isfinite(x).all())


def bad_kind(x: torch.Tensor) -> str:
    """``nan`` where there is one, else ``inf``."""
    return "nan" if bool(torch.isnan(x.detach()).any()) else "inf"


class Trace:
    """The values behind one root, as far as they are known.

    Args:
        root: the bad tensor that a backward starts from.
        held: other tensors of the step, such as the local variables of the script.
    """

    def __init__(self, root: torch.Tensor, held: Iterable[torch.Tensor] = ()) -> None:
        self.root = root
        self.nodes = executed(root.grad_fn)
        self._order = {node: i for i, node in enumerate(self.nodes)}
        self._values: dict[Value, torch.Tensor] = {(root.grad_fn, root.output_nr): root}
        self._constants: dict[Node, list[torch.Tensor]] = {}
        for tensor in held:
            if tensor.grad_fn in self._order:
                self._values[tensor.grad_fn, tensor.output_nr] = tensor
        for node in self.nodes:
            for tensor in saved(node):
                self._take(node, tensor)
        self._finite: dict[Node, bool | None] = {}

    def _take(self, node: Node, tensor: torch.Tensor) -> None:
        if tensor.grad_fn is not None:
            self._values.setdefault((tensor.grad_fn, tensor.output_nr), tensor)
        elif not tensor.requires_grad:
            self._constants.setdefault(node, []).append(tensor)

    def birth(self) -> Birth | None:
        """Where the root's bad value was made; None when nothing is known."""
        region = self._region()
        bad = [n for n in self.nodes if n in region and self._is_finite(n) is False]
        if not bad:
            return None
        first = bad[0]
        behind = self._unknown_behind(first, region)
        for node in (*behind, first):
            leaf = next((t for t in self._leaves(node) if not is_finite(t)), None)
            if leaf is not None:
                return self._made(node, "weights", leaf, False)
            lost = next((t for t in self._constants.get(node, ()) if not is_finite(t)), None)
            if lost is not None and not self._operands_finite(node, first):
                return self._made(node, "constant", lost, False)
        chosen = _likeliest(first, behind)
        exact = chosen is first and self._inputs_known(first)
        return self._made(chosen, "", self._operand(chosen), exact)

    # ---- what is known -----------------------------------------------------------------------
    def _region(self) -> set[Node]:
        """Nodes that lead to the root by ways on which nothing is known to be finite."""
        seen = {self.root.grad_fn}
        queue = [self.root.grad_fn]
        while queue:
            for parent in parents(queue.pop()):
                if parent in self._order and parent not in seen and not self._is_finite(parent):
                    seen.add(parent)
                    queue.append(parent)
        return seen

    def _is_finite(self, node: Node) -> bool | None:
        """Of a node's results; None when none is known."""
        if node not in self._finite:
            known = [t for (n, _), t in self._of(node)]
            if not known and (again := quiet(self._repeated, node)) is not None:
                known = [again]
            self._finite[node] = all(map(is_finite, known)) if known else None
        return self._finite[node]

    def _of(self, node: Node) -> list[tuple[Value, torch.Tensor]]:
        found = ((node, k) for k in range(4))
        return [(key, self._values[key]) for key in found if key in self._values]

    def _repeated(self, node: Node) -> torch.Tensor | None:
        """The result of a node, computed again from the operands that were kept."""
        name = stem(node)
        if is_function(node) or name not in _REPEAT:
            return None
        with torch.no_grad(), torch._C.DisableTorchFunction():
            if name in ("Mean", "Sum"):
                operand = self._input(node, 0)
                return None if operand is None else _REPEAT[name](operand.detach())
            if name == "Pow":
                exponent = node._saved_exponent
                return torch.pow(node._saved_self.detach(), exponent)
            if name in ("Div", "Mul", "Mm", "Bmm"):
                second = "_saved_other" if name in ("Div", "Mul") else "_saved_mat2"
                one, two = getattr(node, "_saved_self"), getattr(node, second)  # noqa: B009
                one = self._input(node, 0) if one is None else one
                two = self._input(node, 1) if two is None else two
                return None if one is None or two is None else _REPEAT[name](one, two)
            return _REPEAT[name](node._saved_self)

    def _input(self, node: Node, number: int) -> torch.Tensor | None:
        """A result that went into a node, where it is known."""
        edges = node.next_functions
        if number >= len(edges) or edges[number][0] is None:
            return None
        parent, output = edges[number]
        leaf = getattr(parent, "variable", None)
        return leaf if leaf is not None else self._values.get((parent, output))

    @staticmethod
    def _leaves(node: Node) -> list[torch.Tensor]:
        held = (getattr(p, "variable", None) for p in parents(node))
        return [t for t in held if isinstance(t, torch.Tensor)]

    def _unknown_behind(self, node: Node, region: set[Node]) -> list[Node]:
        """Nodes whose results went into ``node`` and of which nothing is known, in order."""
        seen: set[Node] = set()
        queue = [node]
        while queue:
            for parent in parents(queue.pop()):
                if parent in region and parent not in seen and self._is_finite(parent) is None:
                    seen.add(parent)
                    queue.append(parent)
        return sorted(seen, key=self._order.__getitem__)

    def _inputs_known(self, node: Node) -> bool:
        """All that went into a node is known, and finite."""
        edges = [(p, k) for p, k in node.next_functions if p is not None]
        for parent, number in edges:
            leaf = getattr(parent, "variable", None)
            value = leaf if leaf is not None else self._values.get((parent, number))
            if value is None and self._is_finite(parent) is not True:
                return False
            if value is not None and not is_finite(value):
                return False
        return all(map(is_finite, self._constants.get(node, ())))

    def _operands_finite(self, node: Node, first: Node) -> bool:
        """An infinite constant need not be what broke: a mask is one, and so is a result."""
        return node is not first and self._is_finite(node) is True

    def _operand(self, node: Node) -> torch.Tensor | None:
        """What decides over a node's result: a divisor, else what autograd kept of its input."""
        order = ("_saved_other", "_saved_self") if stem(node) == "Div" else ("_saved_self",)
        for key in (*order, "_saved_mat1", "_saved_input"):
            found = quiet(getattr, node, key)
            if isinstance(found, torch.Tensor):
                return found
        known = (self._input(node, k) for k in range(len(node.next_functions)))
        return next((t for t in known if t is not None), None)

    def _made(self, node: Node, source: str, operand: Any, exact: bool) -> Birth:
        known = [t for _, t in self._of(node)]
        again = quiet(self._repeated, node) if not known else None
        result = known[0] if known else again
        seen = result if result is not None and not is_finite(result) else self.root
        dtype = str((result if result is not None else seen).dtype).removeprefix("torch.")
        return Birth(node, bad_kind(seen), exact, source, operand, dtype)


def _likeliest(first: Node, behind: list[Node]) -> Node:
    """The one that made what ``first`` shows, of those between it and what is known to be finite.

    A softmax breaks on rows that a mask has filled, and passes on what else it is given.
    """
    if not behind or stem(first) in _BREAKING:
        return first
    masked = any(stem(n) in ("MaskedFill", "Where") for n in behind)
    if "oftmax" in stem(first) and masked:
        return first
    own = (n for n in reversed(behind) if is_function(n))
    return next(own, None) or next((n for n in reversed(behind) if stem(n) in _BREAKING), first)


@lru_cache(maxsize=512)
def _saved_names(kind: Any) -> tuple[str, ...]:
    return tuple(k for k in dir(kind) if k.startswith("_saved_") and "_sym_" not in k)


def saved(node: Node) -> list[torch.Tensor]:
    """The tensors that autograd keeps for a node's backward; none after it has run."""
    if is_function(node):
        found = quiet(getattr, node, "saved_tensors", default=())
    else:
        found = [quiet(getattr, node, key) for key in _saved_names(node.__class__)]
    flat: list[torch.Tensor] = []
    for one in found or ():
        flat += [t for t in (one if isinstance(one, list | tuple) else (one,))
                 if isinstance(t, torch.Tensor)]  # fmt: skip
    return flat


def finite_range(x: torch.Tensor | None) -> tuple[float, float]:
    """Smallest and largest finite element; NaN where there is none."""
    if x is None or not x.numel() or not (x.is_floating_point() or x.dtype == torch.int64):
        return math.nan, math.nan
    x = x.detach()
    x = x[torch.isfinite(x)]
    if not x.numel():
        return math.nan, math.nan
    low, high = torch.aminmax(x)
    return float(low), float(high)
