"""Hessian-vector products on a loss whose graph is alive, and the largest eigenvalue of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from gradoctor.interventions.snapshot import SEED

Vector = list[torch.Tensor]
"""One tensor for each parameter."""
Product = Callable[[Vector], Vector]

ROUNDS = 20
SETTLED = 0.01  # relative change from one round to the next
BLEND = 0.3  # of a fresh random vector in one that is used again


class Top(NamedTuple):
    """The largest eigenvalue of a symmetric matrix.

    Attributes:
        value: Rayleigh quotient of ``direction``: at most the eigenvalue, never above it.
        direction: of length 1.
        rounds: products that it took.
    """

    value: float
    direction: Vector
    rounds: int


def inner(one: Sequence[torch.Tensor], other: Sequence[torch.Tensor]) -> float:
    """The sum of products of all elements, in double precision."""
    parts = [(a.double() * b.double()).sum() for a, b in zip(one, other, strict=True)]
    return float(torch.stack([p.cpu() for p in parts]).sum()) if parts else 0.0


def scaled(vector: Sequence[torch.Tensor], factor: float) -> Vector:
    """The vector times a number."""
    return [part * factor for part in vector]


def unit(vector: Sequence[torch.Tensor]) -> Vector:
    """The vector at length 1; as it is when it has none."""
    length = inner(vector, vector) ** 0.5
    return scaled(vector, 1 / length) if length > 0 else list(vector)


def hessian(loss: torch.Tensor, weights: Sequence[torch.Tensor]) -> tuple[Vector, Product]:
    """The gradient of a loss, and the product of its Hessian with a vector.

    The graph stays alive; no gradient is added to the weights.

    Raises:
        RuntimeError: an operation on the way has no second derivative.
    """
    with torch.enable_grad():
        slopes = torch.autograd.grad(
            loss, list(weights), create_graph=True, allow_unused=True, materialize_grads=True
        )

    def product(vector: Vector) -> Vector:
        bent = [(g, v) for g, v in zip(slopes, vector, strict=True) if g.requires_grad]
        if not bent:  # a loss that is linear in all of its weights
            return [torch.zeros_like(v) for v in vector]
        made = torch.autograd.grad(
            [g for g, _ in bent], list(weights), [v.to(g.dtype) for g, v in bent],
            retain_graph=True, allow_unused=True, materialize_grads=True,
        )  # fmt: skip
        return [h.detach() for h in made]

    return [g.detach() for g in slopes], product


def top(product: Product, like: Sequence[torch.Tensor], known: Vector | None = None) -> Top:
    """The largest eigenvalue, by power iteration; the matrix is shifted when it is not dominant.

    Args:
        like: tensors of the vectors' shapes.
        known: a direction to begin with, such as that of a similar matrix.
    """
    # a generator of our own: the script's must not move
    generator = torch.Generator().manual_seed(SEED)
    fresh = unit([torch.randn(t.shape, generator=generator).to(t) for t in like])
    start = fresh
    if known is not None:
        start = unit([k + BLEND * f for k, f in zip(known, fresh, strict=True)])
    found = _iterated(product, start, 0.0)
    if found.value < 0:  # the lowest eigenvalue dominates: shifted by it, the highest does
        lowest = found
        found = _iterated(product, start, lowest.value)
        found = found._replace(rounds=found.rounds + lowest.rounds)
    return found


def _iterated(product: Product, start: Vector, shift: float) -> Top:
    direction, value = start, float("nan")
    for count in range(1, ROUNDS + 1):
        image = product(direction)
        was, value = value, inner(direction, image)
        settled = abs(value - was) <= SETTLED * abs(value - shift)
        image = [i - shift * d for i, d in zip(image, direction, strict=True)]
        if settled or value != value or not inner(image, image) > 0:
            return Top(value, direction, count)
        direction = unit(image)
    return Top(value, direction, ROUNDS)
