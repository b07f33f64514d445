"""Losses that a script writes out: which of PyTorch's loss functions the operations come to.

During a look a few operands are kept, the latest: those of differences, factors, logarithms and
picked elements. When a tensor is reduced to one number, its graph is followed back through scalar
factors and reductions; a square or absolute value of "prediction minus target", or the
log-probabilities of the labels, is a loss function. Penalties have no target, and policy gradients
weigh each term: neither is taken for one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from gradoctor.capture.graph import Node, parents
from gradoctor.capture.places import Place
from gradoctor.capture.source import caller

KEPT = 32
"""Operations whose operands are kept: few lie between a difference and its mean."""

HOPS = 8
CLOSE = 1e-3
"""Probabilities count as such when they add up to 1 within this."""

_T = torch.Tensor
_DIFFERENCES = (torch.sub, torch.subtract, _T.sub, _T.subtract, _T.__sub__)
_FACTORS = (torch.mul, torch.multiply, _T.mul, _T.multiply, _T.__mul__)
_PICKED = (_T.__getitem__, torch.gather, _T.gather)
_LOGS = (torch.log, _T.log)
_REDUCED = (torch.mean, torch.sum, _T.mean, _T.sum)
WRITTEN = frozenset({*_DIFFERENCES, *_FACTORS, *_PICKED, *_LOGS, *_REDUCED})
_REDUCING = frozenset(_REDUCED)

_THROUGH = frozenset(
    f"{name}Backward{number}"
    for name in (
        "View", "Squeeze", "Unsqueeze", "ReshapeAlias", "UnsafeView", "Clone", "Div", "Mul",
        "Mean", "Sum", "Neg", "ToCopy",
    )
    for number in (0, 1)
)  # fmt: skip
"""What may stand between the terms of a loss and the root of backward; factors are scalars."""


@dataclass(frozen=True, slots=True)
class Written:
    """A loss function that is written out.

    Attributes:
        function: its name in ``torch.nn.functional``.
        prediction: with its graph; log-probabilities ``[n, classes]`` for ``nll_loss``.
        target: what it is held against.
        place: the line that reduces it to one number.
    """

    function: str
    prediction: torch.Tensor
    target: torch.Tensor
    place: Place

    @property
    def terms(self) -> int:
        """Terms that the loss is a mean or sum over."""
        if self.function == "nll_loss":
            return self.prediction.shape[0]
        shapes = self.prediction.shape, self.target.shape
        return int(torch.broadcast_shapes(*shapes).numel())  # type: ignore[no-untyped-call]

    def value(self) -> torch.Tensor:
        """The mean over terms, as PyTorch's function gives it."""
        return _VALUES[self.function](self.prediction.detach(), self.target.detach())


def _nll(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    if target.is_floating_point():
        return -(target * prediction).sum(1).mean()
    return -prediction.gather(1, target[:, None]).mean()


def _bce(prediction: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    yes, no = prediction.log().clamp_min(-100), (1 - prediction).log().clamp_min(-100)
    return -(target * yes + (1 - target) * no).mean()


_VALUES: dict[str, Callable[[torch.Tensor, torch.Tensor], torch.Tensor]] = {
    "mse_loss": lambda p, t: (p - t).square().mean(),
    "l1_loss": lambda p, t: (p - t).abs().mean(),
    "nll_loss": _nll,
    "binary_cross_entropy": _bce,
}

Operands = tuple[Any, ...]


class Handwritten:
    """Follows the operations of a look that losses are written with."""

    def __init__(self) -> None:
        self._operands: dict[Node, Operands] = {}
        self._found: dict[Node, Written] = {}

    def observe(self, func: Any, args: tuple[Any, ...], out: Any) -> None:
        """An operation of ``WRITTEN`` ran in training."""
        if not isinstance(out, torch.Tensor) or out.grad_fn is None or not args:
            return
        if func in _REDUCING:
            if out.dim() == 0:
                self._reduced(args[0], out.grad_fn)
        elif (kept := _operands(func, args)) is not None:
            if len(self._operands) >= KEPT:
                del self._operands[next(iter(self._operands))]
            self._operands[out.grad_fn] = kept

    def _reduced(self, terms: Any, node: Node) -> None:
        found = self._match(terms.grad_fn) if isinstance(terms, torch.Tensor) else None
        if found is not None:
            self._found[node] = Written(*found, place=caller())

    def behind(self, root: torch.Tensor) -> Written | None:
        """The loss that a root of backward is, but for scalar factors; it is given once."""
        node = root.grad_fn if self._found else None
        for _ in range(HOPS):
            if node is None or node in self._operands:
                return None
            if node in self._found:
                return self._found.pop(node)
            node = _before(node)
        return None

    def close_step(self) -> None:
        """Let go of the step's graph."""
        self._operands.clear()
        self._found.clear()

    # ---- what the operations come to -----------------------------------------------------------
    def _match(self, node: Node) -> tuple[str, torch.Tensor, torch.Tensor] | None:
        logarithm = False
        for _ in range(HOPS):
            if node is None:
                return None
            name, kept = str(node.name()), self._operands.get(node)
            if kept is not None:
                if kept[0] != "log":
                    return _picked(kept, logarithm) or _soft(kept)
                logarithm = True
                node = _only(node)
            elif (function := _distance(node, name)) is not None:
                return _regression(function, self._operands.get(parents(node)[0]))
            elif name in ("AddBackward0", "SubBackward0"):
                return self._binary(parents(node))
            else:
                node = _before(node)
        return None

    def _binary(self, terms: list[Node]) -> tuple[str, torch.Tensor, torch.Tensor] | None:
        """``y * log(p) + (1 - y) * log(1 - p)``, whatever its signs."""
        found: list[tuple[torch.Tensor, torch.Tensor]] = []
        for term in terms if len(terms) == 2 else ():
            node = _only(term) if term.name() == "NegBackward0" else term
            kept = self._operands.get(node)
            inner = self._operands.get(kept[1].grad_fn) if kept and kept[0] == "factor" else None
            if kept is None or inner is None or inner[0] != "log":
                return None
            found.append((inner[1], kept[2].abs()))
        if len(found) != 2 or not all(_add_up(*pair) for pair in zip(*found, strict=True)):
            return None
        complement = _is_complement(found[0][0])
        prediction, target = found[1] if complement else found[0]
        return "binary_cross_entropy", prediction, target


def _operands(func: Any, args: tuple[Any, ...]) -> Operands | None:
    """What is kept of an operation whose result has a graph."""
    one = args[0]
    if not isinstance(one, torch.Tensor):
        return None
    if func in _LOGS:
        return "log", one
    if func in _PICKED:
        return _labels(one, args[1:]) if one.grad_fn is not None else None
    other = args[1] if len(args) > 1 else None
    if not isinstance(other, torch.Tensor) or one.requires_grad == other.requires_grad:
        return None
    signal, constant = (one, other) if one.requires_grad else (other, one)
    if func in _FACTORS:
        return ("factor", signal, constant) if constant.numel() > 1 else None
    return ("difference", signal, constant) if signal.grad_fn is not None else None


def _labels(source: torch.Tensor, index: tuple[Any, ...]) -> Operands | None:
    """``source[arange(n), y]`` or ``source.gather(1, y)``: one element of each row."""
    if len(index) == 2 and isinstance(index[1], torch.Tensor):
        dim, y = index
        if dim not in (-1, source.dim() - 1) or y.shape != (*source.shape[:-1], 1):
            return None
    elif len(index) == 1 and isinstance(index[0], tuple) and len(index[0]) == 2:
        rows, y = index[0]
        whole = isinstance(y, torch.Tensor) and y.shape == source.shape[:1] and source.dim() == 2
        if not whole or not isinstance(rows, torch.Tensor | range) or len(rows) != len(y):
            return None
    else:
        return None
    if y.is_floating_point() or y.dtype == torch.bool:
        return None
    return "picked", source, y


def _picked(kept: Operands, logarithm: bool) -> tuple[str, torch.Tensor, torch.Tensor] | None:
    """Log-probabilities of the labels: of a log-softmax, or the logarithm of a softmax."""
    if kept[0] != "picked":
        return None
    source, name = kept[1], str(kept[1].grad_fn.name())
    if logarithm and name == "SoftmaxBackward0":
        rows = source.log()
    elif not logarithm and (name == "LogSoftmaxBackward0" or _is_log_of_softmax(source)):
        rows = source
    else:
        return None
    return "nll_loss", rows.reshape(-1, rows.shape[-1]), kept[2].reshape(-1)


def _soft(kept: Operands) -> tuple[str, torch.Tensor, torch.Tensor] | None:
    """Log-probabilities weighted by target probabilities, such as one-hot labels."""
    if kept[0] != "factor" or kept[1].grad_fn is None:
        return None
    signal, target = kept[1], kept[2].detach()
    log = signal.grad_fn.name() == "LogSoftmaxBackward0" or _is_log_of_softmax(signal)
    if not log or target.shape != signal.shape or signal.dim() != 2:
        return None
    if not target.is_floating_point() or not bool((target >= 0).all()):
        return None
    return ("nll_loss", signal, target) if _add_up(target.sum(1), 0) else None


def _regression(
    function: str, kept: Operands | None
) -> tuple[str, torch.Tensor, torch.Tensor] | None:
    if kept is None or kept[0] != "difference":
        return None
    _, prediction, target = kept
    if not target.is_floating_point():
        target = target.to(prediction.dtype)
    return function, prediction, target


def _distance(node: Node, name: str) -> str | None:
    if name == "AbsBackward0":
        return "l1_loss"
    behind = parents(node)
    if name == "PowBackward0" and node._saved_exponent == 2:
        return "mse_loss"
    squared = name == "MulBackward0" and len(behind) == 2 and behind[0] is behind[1]
    return "mse_loss" if squared else None


def _only(node: Node) -> Node | None:
    behind = parents(node)
    return behind[0] if len(behind) == 1 else None


def _before(node: Node) -> Node | None:
    """The node behind one that leaves a loss what it is; None behind any other."""
    return _only(node) if node.name() in _THROUGH else None


def _is_log_of_softmax(tensor: torch.Tensor) -> bool:
    node = tensor.grad_fn
    behind = _only(node) if node is not None and node.name() == "LogBackward0" else None
    return behind is not None and behind.name() == "SoftmaxBackward0"


def _is_complement(tensor: torch.Tensor) -> bool:
    """``1 - p``, or that with a small number added."""
    node = tensor.grad_fn
    while node is not None and node.name() in ("AddBackward0", "ClampBackward1"):
        node = _only(node)
    return node is not None and node.name() == "RsubBackward1"


def _add_up(one: torch.Tensor, two: torch.Tensor | int) -> bool:
    return bool(((one + two).detach() - 1).abs().max() < CLOSE)
