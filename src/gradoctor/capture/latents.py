"""Watches latent distributions: where mean + std * noise is drawn, and both were computed."""

from __future__ import annotations

import weakref
from typing import TYPE_CHECKING, Any

import torch

from gradoctor import statistics as kernels
from gradoctor.capture.call_sites import CallSites

if TYPE_CHECKING:
    from gradoctor.capture.session import Session

DRAWING = frozenset(
    {torch.randn, torch.randn_like, torch.normal, torch.Tensor.normal_}
)  # fmt: skip
_SCALING = frozenset({torch.mul, torch.Tensor.mul, torch.Tensor.mul_, torch.Tensor.__mul__})
_SHIFTING = frozenset(
    {torch.add, torch.Tensor.add, torch.Tensor.add_, torch.Tensor.__add__, torch.Tensor.__iadd__}
)
_BOTH = frozenset({torch.addcmul, torch.Tensor.addcmul})
USING = _SCALING | _SHIFTING | _BOTH
"""What noise passes through on its way to a sample."""
FEWEST = 8
"""Samples in a batch that can tell whether a mean varies."""
MOST = 16
"""Draws of noise in a step that are followed, the latest."""

Scaled = tuple["weakref.ref[torch.Tensor]", torch.Tensor]


class LatentWatch:
    """Follows noise through a product and a sum to the distribution that it was drawn for."""

    def __init__(self, session: Session) -> None:
        self.sites = CallSites(session, kernels.LATENT, most=1)
        self._noise: list[weakref.ref[torch.Tensor]] = []
        self._scaled: list[Scaled] = []

    @property
    def waiting(self) -> bool:
        """Noise was drawn in this step."""
        return bool(self._noise)

    def draw(self, out: Any) -> None:
        """An operation of ``DRAWING`` ran."""
        if isinstance(out, torch.Tensor) and out.dim() >= 2 and not out.requires_grad:
            self._noise = [*self._noise[1 - MOST :], weakref.ref(out)]

    def observe(self, func: Any, args: tuple[Any, ...], out: Any) -> None:
        """An operation of ``USING`` ran while noise was about."""
        if not isinstance(out, torch.Tensor) or out.dim() < 2 or not out.requires_grad:
            return
        given = [a for a in args[:3] if isinstance(a, torch.Tensor)]
        if func in _BOTH and len(given) == 3:
            std = self._scale_of(given[1:])
            if std is not None:
                self._measure(given[0], std)
        elif len(given) != 2:
            return
        elif func in _SCALING:
            std = self._scale_of(given)
            if std is not None:
                self._scaled = [*self._scaled[1 - MOST :], (weakref.ref(out), std.detach())]
        else:
            self._shift(given, out)

    def _scale_of(self, pair: list[torch.Tensor]) -> torch.Tensor | None:
        """The computed tensor that multiplies noise of its own shape."""
        for noise, other in (pair, pair[::-1]):
            computed = other.requires_grad and not other.is_leaf and other.shape == noise.shape
            if computed and any(ref() is noise for ref in self._noise):
                return other
        return None

    def _shift(self, pair: list[torch.Tensor], out: torch.Tensor) -> None:
        for scaled, mean in (pair, pair[::-1]):
            std = next((s for ref, s in self._scaled if ref() is scaled), None)
            if std is not None:
                self._measure(mean, std)
                return

    def _measure(self, mean: torch.Tensor, std: torch.Tensor) -> None:
        if not mean.requires_grad or mean.is_leaf or mean.shape != std.shape:
            return
        if mean.shape[0] < FEWEST or not mean.numel():
            return
        with torch.no_grad(), torch._C.DisableTorchFunction():
            site = self.sites.here("latent", {"index": 0, "out_shape": list(mean.shape)})
            self.sites.keep(site, kernels.summarise_latent(mean.detach(), std.detach()))

    def close_step(self) -> None:
        """Record the last draw of each site, and forget the noise."""
        self.sites.close_step()
        self._noise, self._scaled = [], []
