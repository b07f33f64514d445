"""What a script computes between the output of its model and its loss, to be computed again."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from gradoctor.interventions._values import mapped
from gradoctor.statistics import tensors_in


class Tape:
    """Operations in the order they ran; ``cut`` keeps those that lead to a root."""

    def __init__(self) -> None:
        self._calls: list[tuple[Any, tuple[Any, ...], dict[str, Any], Any]] = []
        self._root: torch.Tensor | None = None

    def record(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """An operation has run."""
        if func is not torch.Tensor.backward:
            self._calls.append((func, args, kwargs, out))

    def cut(self, root: torch.Tensor) -> None:
        """Keep what leads to ``root`` alone."""
        needed, kept = {id(root)}, []
        for call in reversed(self._calls):
            _, args, kwargs, out = call
            if any(id(t) in needed for t in tensors_in(out)):
                kept.append(call)
                needed |= {id(t) for t in tensors_in((args, kwargs))}
        self._calls, self._root = kept[::-1], root

    def again(
        self, old: Any, new: Any, instead: Mapping[int, torch.Tensor] | None = None
    ) -> torch.Tensor:
        """The root as it would be, had the model given ``new`` instead of ``old``.

        Args:
            instead: what stands in the place of other tensors, by their ids, whatever makes them.
        """
        assert self._root is not None, "cut first"
        fixed = instead or {}
        made = {id(a): b for a, b in zip(tensors_in(old), tensors_in(new), strict=True)}

        def swap(tensor: torch.Tensor) -> torch.Tensor:
            return fixed.get(id(tensor), made.get(id(tensor), tensor))

        for func, args, kwargs, out in self._calls:
            again = func(*mapped(args, swap), **mapped(kwargs, swap))
            made |= {id(a): b for a, b in zip(tensors_in(out), tensors_in(again), strict=True)}
        return swap(self._root)

    def loss(self, old: Any, new: Any) -> float:
        """The mean of that root."""
        with torch.no_grad():
            return float(self.again(old, new).detach().float().mean())

    def calls(self) -> Iterator[tuple[Any, tuple[Any, ...], dict[str, Any]]]:
        """The operations that are kept, with their arguments, in order."""
        for func, args, kwargs, _ in self._calls:
            yield func, args, kwargs

    def repeats(self, output: Any) -> bool:
        """Computed again from the same output, the root is what it was."""
        assert self._root is not None, "cut first"
        was = float(self._root.detach().float().mean())
        try:
            now = self.loss(output, mapped(output, lambda t: t.detach().clone()))
        except Exception:  # an operation that cannot be repeated from outside
            return False
        return math.isclose(was, now, rel_tol=1e-4, abs_tol=1e-7)
