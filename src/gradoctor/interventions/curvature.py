"""Hessian-vector products on a loss whose graph is alive, and their largest eigenvalue."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch

from gradoctor.interventions.snapshot import SEED

Vector = list[torch.Tensor]
"""One tensor for each parameter."""
Pair = tuple[Vector, Vector]
"""A vector and the product with it."""
Product = Callable[[Vector], Vector]

ROUNDS = 20
SETTLED = 0.002  # relative change from one round to the next
PRECISION = 1e-4  # of a length, in single precision: less is rounding
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

    if _is_cut_off(slopes):
        raise RuntimeError("it passes a function that is differentiable once (once_differentiable)")

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


def _is_cut_off(slopes: Sequence[torch.Tensor]) -> bool:
    """A node in their graph stands for an error: torch takes what is behind it for constant."""
    todo = [g.grad_fn for g in slopes if g.grad_fn is not None]
    seen = set(todo)
    while todo:
        node = todo.pop()
        if node.name().rpartition("::")[2] == "Error":
            return True
        new = {after for after, _ in node.next_functions if after is not None} - seen
        seen |= new
        todo += new
    return False


def top(product: Product, like: Sequence[torch.Tensor], known: Vector | None = None) -> Top:
    """The largest eigenvalue: power iteration made faster by conjugate directions (LOBPCG).

    Each round takes the best vector of the plane of the last one, its residual and the way it came.
    Unlike plain power iteration it finds the highest eigenvalue where a negative one is larger in
    size (Knyazev 2001).

    Args:
        like: tensors of the vectors' shapes.
        known: a direction to begin with, such as that of a similar matrix.
    """
    # a generator of our own: the script's must not move
    generator = torch.Generator().manual_seed(SEED)
    at = unit([torch.randn(t.shape, generator=generator).to(t) for t in like])
    if known is not None:
        at = unit([k + BLEND * f for k, f in zip(known, at, strict=True)])
    image = product(at)
    value = inner(at, image)
    way: Pair | None = None
    for count in range(2, ROUNDS + 1):
        rest = [i - value * a for i, a in zip(image, at, strict=True)]
        if not inner(rest, rest) > (PRECISION * value) ** 2 or not math.isfinite(value):
            return Top(value, at, count - 1)
        step = unit(rest)
        plane = _orthonormal([(at, image), (step, product(step)), *([way] if way else [])])
        was, (value, share) = value, _best(plane)
        at, image = (_mixed([pair[side] for pair in plane], share) for side in (0, 1))
        way = (_mixed([v for v, _ in plane[1:]], share[1:]),
               _mixed([i for _, i in plane[1:]], share[1:]))  # fmt: skip
        if abs(value - was) <= SETTLED * abs(value):
            return Top(value, at, count)
    return Top(value, at, ROUNDS)


def _mixed(vectors: Sequence[Vector], weights: Sequence[float]) -> Vector:
    parts = zip(*vectors, strict=True)
    return [sum(w * p for w, p in zip(weights, part, strict=True)) for part in parts]


def _orthonormal(pairs: Sequence[Pair]) -> list[Pair]:
    """Vectors and their images, made orthonormal in their order; those that add nothing go."""
    made: list[Pair] = []
    for pair in pairs:
        length = inner(pair[0], pair[0]) ** 0.5
        rest = pair
        for other in (*made, *made):  # once leaves what rounding has added
            rest = _without(rest, other, inner(rest[0], other[0]))
        left = inner(rest[0], rest[0]) ** 0.5
        if left > PRECISION * length:
            made.append((scaled(rest[0], 1 / left), scaled(rest[1], 1 / left)))
    return made


def _without(pair: Pair, other: Pair, share: float) -> Pair:
    """A vector and its image, less a share of another's."""
    vector, image = (
        [p - share * o for p, o in zip(mine, its, strict=True)]
        for mine, its in zip(pair, other, strict=True)
    )
    return vector, image


def _best(plane: Sequence[Pair]) -> tuple[float, list[float]]:
    """The largest eigenvalue within a plane, and the share of each of its vectors."""
    table = torch.tensor([[inner(v, image) for _, image in plane] for v, _ in plane]).double()
    values, vectors = torch.linalg.eigh((table + table.T) / 2)
    return float(values[-1]), vectors[:, -1].tolist()
