"""Watches embeddings where they are compared by angle: cosine similarities and normalised rows."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import torch

from gradoctor import statistics as kernels
from gradoctor.capture.call_sites import CallSites

if TYPE_CHECKING:
    from gradoctor.capture.session import Session

COSINES = frozenset({torch.cosine_similarity, torch.nn.functional.cosine_similarity})
COMPARING = COSINES | {torch.nn.functional.normalize}
MULTIPLYING = frozenset(
    {torch.matmul, torch.mm, torch.einsum, torch.functional.einsum, torch.Tensor.matmul,
     torch.Tensor.mm, torch.Tensor.__matmul__}
)  # fmt: skip
FEWEST = 8
"""Samples, and dimensions, from which on directions can be told to have collapsed."""


class EmbeddingWatch:
    """Measures both sides of every comparison of two batches of vectors."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.sites = CallSites(session, kernels.EMBEDDING, most=16, in_modules=False)
        self._unit: list[tuple[weakref.ref[torch.Tensor], int]] = []

    @property
    def waiting(self) -> bool:
        """Normalised rows are about that may be multiplied by themselves."""
        return bool(self._unit)

    def observe(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """An operation of ``COMPARING`` ran in a training forward."""
        if not isinstance(out, torch.Tensor):
            return
        if func in COSINES:
            given = dict(zip(("x1", "x2", "dim"), args, strict=False)) | kwargs
            sides = [given.get("x1"), given.get("x2")]
        else:
            given = dict(zip(("input", "p", "dim"), args, strict=False)) | kwargs
            sides = [given.get("input")]
            if given.get("p", 2.0) != 2.0:
                return
        dim = given.get("dim", 1)
        if not any(isinstance(s, torch.Tensor) and s.requires_grad for s in sides):
            return
        for side in sides:
            self._measure(side, dim, out if len(sides) == 1 else None)

    def multiplied(self, args: tuple[Any, ...]) -> None:
        """An operation of ``MULTIPLYING`` ran: rows that meet themselves are both views at once."""
        parts = [a for a in args if isinstance(a, torch.Tensor)]
        wholes = [part if part._base is None else part._base for part in parts]
        for ref, site in self._unit:
            unit = ref()
            if unit is not None and sum(whole is unit for whole in wholes) > 1:
                known = self.session.recorder.get(site)
                self.session.recorder.update_site(site, meta={**known.meta, "paired": True})

    def _measure(self, rows: Any, dim: int, unit: torch.Tensor | None) -> None:
        if not isinstance(rows, torch.Tensor) or dim not in (-1, rows.dim() - 1):
            return
        if rows.is_leaf and rows.requires_grad:
            return  # a weight, not what a batch was turned into
        made = self.session.inputs.contests.is_made(rows)
        if rows.dim() == 3 and 1 in rows.shape[:2]:
            rows = rows.flatten(0, 1)  # all pairs, by broadcasting
        if rows.dim() != 2 or min(rows.shape) < FEWEST or not rows.is_floating_point():
            return
        with torch.no_grad(), torch._C.DisableTorchFunction():
            site = self.sites.here(
                "embedding",
                {"role": "compared", "out_shape": list(rows.shape), "paired": False,
                 "source": _source(rows, made)},
            )  # fmt: skip
            self.sites.keep(site, kernels.summarise_directions(rows.detach()))
        if unit is not None:
            self._unit.append((weakref.ref(unit), site))

    def close_step(self) -> None:
        """Record the last call of each site."""
        self.sites.close_step()
        self._unit = []


def _source(rows: torch.Tensor, made: bool) -> str:
    if rows.requires_grad:
        return "graph"
    return "model" if made else "data"
