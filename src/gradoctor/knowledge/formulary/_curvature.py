"""L-BFGS and Muon in plain Python: what is more than one weight at a time."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from gradoctor.knowledge.formulary._updates import Floats, State, averages, shrunk

Matrix = list[list[float]]
Closure = Callable[[Floats], tuple[float, Floats]]

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of Newton-Schulz in Muon: steep at 0, so that small singular values grow fast."""


def start_lbfgs(count: int) -> State:
    """The state of L-BFGS: no pairs yet."""
    return {"steps": 0, "gradient": [0.0] * count, "direction": [0.0] * count,
            "size": 0.0, "pairs": [], "scale": 1.0}  # fmt: skip


def lbfgs(
    weights: Floats,
    closure: Closure,
    state: State,
    *,
    lr: float = 1.0,
    max_iter: int = 20,
    max_eval: int | None = None,
    tolerance_grad: float = 1e-7,
    tolerance_change: float = 1e-9,
    history_size: int = 100,
) -> list[float]:
    """L-BFGS by the two-loop recursion, without line search.

    Args:
        closure: gives the loss and the gradients at some weights.
    """
    now = list(weights)
    loss, gradient = closure(now)
    evaluations, most = 1, max_iter * 5 // 4 if max_eval is None else max_eval
    if max(map(abs, gradient)) <= tolerance_grad:
        return now
    for turn in range(1, max_iter + 1):
        state["steps"] += 1
        direction = _direction(gradient, state, history_size)
        size = lr * (min(1.0, 1 / sum(map(abs, gradient))) if state["steps"] == 1 else 1.0)
        state.update(gradient=list(gradient), direction=direction, size=size)
        if _dot(gradient, direction) > -tolerance_change:
            break
        now = [w + size * d for w, d in zip(now, direction, strict=True)]
        if turn == max_iter:
            break  # the next call begins with this evaluation
        before = loss
        loss, gradient = closure(now)
        evaluations += 1
        if (
            evaluations >= most
            or max(map(abs, gradient)) <= tolerance_grad
            or max(abs(size * d) for d in direction) <= tolerance_change
            or abs(loss - before) < tolerance_change
        ):
            break
    return now


def _direction(gradient: Floats, state: State, history_size: int) -> list[float]:
    """Minus the gradient times the inverse Hessian that the remembered pairs imply."""
    pairs: list[Any] = state["pairs"]
    if state["steps"] > 1:
        change = [g - p for g, p in zip(gradient, state["gradient"], strict=True)]
        move = [state["size"] * d for d in state["direction"]]
        if (along := _dot(change, move)) > 1e-10:  # curvature must be positive
            del pairs[: max(0, len(pairs) + 1 - history_size)]
            pairs.append((change, move, 1 / along))
            state["scale"] = along / _dot(change, change)
    found = [-g for g in gradient]
    weights = []
    for change, move, inverse in reversed(pairs):
        weights.append(inverse * _dot(move, found))
        found = _add(found, change, -weights[-1])
    found = [state["scale"] * f for f in found]
    for change, move, inverse in pairs:
        found = _add(found, move, weights.pop() - inverse * _dot(change, found))
    return found


def start_muon(count: int, rows: int = 1) -> State:
    """The state of Muon for a matrix of so many weights, given row by row."""
    return {"buffer": [0.0] * count, "rows": rows}


def muon(
    weights: Floats,
    gradients: Floats,
    state: State,
    *,
    lr: float = 1e-3,
    weight_decay: float = 0.1,
    momentum: float = 0.95,
    nesterov: bool = True,
    ns_coefficients: tuple[float, float, float] = COEFFICIENTS,
    eps: float = 1e-7,
    ns_steps: int = 5,
) -> list[float]:
    """Muon; PyTorch runs Newton-Schulz in bfloat16, which is right to two or three digits."""
    update = state["buffer"] = averages(state["buffer"], gradients, momentum)
    if nesterov:
        update = averages(update, gradients, momentum)
    rows = state["rows"]
    columns = len(weights) // rows
    matrix = [update[r * columns : (r + 1) * columns] for r in range(rows)]
    turned = orthogonalised(matrix, ns_steps, ns_coefficients, eps)
    rate = lr * math.sqrt(max(1.0, rows / columns))
    flat = [value for row in turned for value in row]
    return _add(shrunk(weights, lr, weight_decay), flat, -rate)


def orthogonalised(
    matrix: Matrix,
    steps: int = 5,
    coefficients: tuple[float, float, float] = COEFFICIENTS,
    eps: float = 1e-7,
) -> Matrix:
    """The matrix with all its singular values brought near 1, by Newton-Schulz."""
    a, b, c = coefficients
    tall = len(matrix) > len(matrix[0])
    now = _transposed(matrix) if tall else matrix
    norm = max(math.sqrt(sum(v * v for row in now for v in row)), eps)
    now = [[v / norm for v in row] for row in now]
    for _ in range(steps):
        gram = _product(now, _transposed(now))
        square = _product(gram, gram)
        mixed = [
            [b * g + c * s for g, s in zip(*rows, strict=True)]
            for rows in zip(gram, square, strict=True)
        ]
        now = [_add([a * v for v in row], more, 1.0)
               for row, more in zip(now, _product(mixed, now), strict=True)]  # fmt: skip
    return _transposed(now) if tall else now


def _product(left: Matrix, right: Matrix) -> Matrix:
    columns = _transposed(right)
    return [[_dot(row, column) for column in columns] for row in left]


def _transposed(matrix: Matrix) -> Matrix:
    return [list(column) for column in zip(*matrix, strict=True)]


def _add(left: Floats, right: Floats, factor: float) -> list[float]:
    return [x + factor * y for x, y in zip(left, right, strict=True)]


def _dot(left: Floats, right: Floats) -> float:
    return sum(x * y for x, y in zip(left, right, strict=True))
