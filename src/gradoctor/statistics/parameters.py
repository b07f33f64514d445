"""Statistics of weights, gradients and updates."""

from __future__ import annotations

from collections import deque
from typing import Any

import torch
from torch import nn

from gradoctor.statistics._tensors import rms_and_absmax, sample, values_of

PARAM = ("weight.rms", "weight.absmax", "weight.nonfinite")
GRAD = ("grad.rms", "grad.absmax", "grad.nonfinite", "grad.zero_fraction")
ZERO_SAMPLE = 4096
SKETCH = 16384


def _norms(tensors: list[torch.Tensor]) -> torch.Tensor:
    """rms and absmax of many tensors ``[P, 2]``: few launches when they share device and dtype."""
    if not tensors:
        return torch.empty(0, 2)
    alike = len({(t.device, t.dtype, t.is_sparse) for t in tensors}) == 1
    first = tensors[0]
    if alike and first.dtype in (torch.float32, torch.float64) and all(t.numel() for t in tensors):
        squares = torch._foreach_norm(tensors, 2)
        largest = torch._foreach_norm(tensors, float("inf"))
        roots = torch.tensor([t.numel() ** -0.5 for t in tensors], device=first.device)
        return torch.stack([torch.stack(squares).float() * roots, torch.stack(largest).float()], 1)
    return torch.stack([torch.stack(rms_and_absmax(values_of(t))) for t in tensors])


@torch.no_grad()
def summarise_weights(params: list[torch.Tensor]) -> torch.Tensor:
    """The columns ``PARAM`` of each parameter, float32 ``[P, 3]``."""
    norms = _norms([p.detach() for p in params])
    return torch.cat([norms, (~torch.isfinite(norms[:, 1:])).float()], 1)


@torch.no_grad()
def summarise_gradients(grads: list[torch.Tensor | None]) -> torch.Tensor:
    """The columns ``GRAD``, float32 ``[P, 4]``; a row of NaN for a missing gradient."""
    there = [values_of(g) for g in grads if g is not None]
    device = there[0].device if there else torch.device("cpu")
    table = torch.full((len(grads), 4), float("nan"), device=device)
    if not there:
        return table
    norms = _norms(there).to(device)
    zeros = torch.stack([(sample(g, ZERO_SAMPLE) == 0).float().mean() for g in there]).to(device)
    # a sample may miss the elements that are not zero
    zeros = torch.where(norms[:, 1] == 0, torch.ones_like(zeros), zeros.clamp_max(1 - 1e-6))
    rows = torch.cat([norms, (~torch.isfinite(norms[:, 1:])).float(), zeros[:, None]], 1)
    table[[i for i, g in enumerate(grads) if g is not None]] = rows
    return table


@torch.no_grad()
def snapshot(params: list[torch.Tensor]) -> list[torch.Tensor]:
    """Copies of parameters."""
    return [p.detach().clone() for p in params]


@torch.no_grad()
def summarise_updates(
    before: list[torch.Tensor],
    after: list[torch.Tensor],
    grads: list[torch.Tensor | None],
    decay: list[float],
) -> torch.Tensor:
    """update.rms, update.ratio, update.decay_rms and <grad, update>, float32 ``[P, 4]``.

    The update is ``after - before + decay * before``: weight decay (``lr * weight_decay``) is
    taken out, so that a net that only shrinks does not look as if it learned.
    """
    deltas = [
        torch.add(new.detach().float() - old.float(), old.float(), alpha=rate)
        for old, new, rate in zip(before, after, decay, strict=True)
    ]
    moved = _norms(deltas)[:, 0]
    scale = _norms([b.float() for b in before])[:, 0]
    rates = torch.tensor(decay, dtype=torch.float32, device=moved.device)
    dots = torch.stack(
        [
            torch.full((), float("nan"), device=d.device)
            if g is None or g.shape != d.shape
            else torch.dot(d.reshape(-1), g.detach().reshape(-1).float())
            for d, g in zip(deltas, grads, strict=True)
        ]
    )
    return torch.stack([moved, moved / scale.clamp_min(1e-30), rates * scale, dots], 1)


@torch.no_grad()
def lost_fraction(before: torch.Tensor, after: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
    """Elements with a gradient that the step left bitwise unchanged, ``[1]``."""
    with_gradient = grad != 0
    lost = ((before == after) & with_gradient).sum()
    fraction: torch.Tensor = lost / with_gradient.sum().clamp_min(1)
    return fraction.float().reshape(1)


def movement(first: torch.Tensor, now: torch.Tensor) -> torch.Tensor:
    """|W - W0| / |W0| of two samples, ``[1]``."""
    first = first.float()
    size = torch.linalg.vector_norm(first).clamp_min(1e-30)
    ratio: torch.Tensor = torch.linalg.vector_norm(now.float() - first) / size
    return ratio.reshape(1)


class Sketch:
    """A fixed sample of the elements of a list of tensors, at most about 16,384 in all."""

    def __init__(self, tensors: list[torch.Tensor]) -> None:
        total = max(1, sum(t.numel() for t in tensors))
        self._sizes = [min(t.numel(), max(8, int(SKETCH * t.numel() / total))) for t in tensors]
        self._device = tensors[0].device if tensors else torch.device("cpu")

    @torch.no_grad()
    def take(self, tensors: list[torch.Tensor | None]) -> torch.Tensor:
        """The sampled elements as one float32 vector; zeros for what is missing."""
        parts = []
        for tensor, size in zip(tensors, self._sizes, strict=True):
            part = torch.zeros(size, device=self._device)
            if tensor is not None:
                got = sample(values_of(tensor), size).to(self._device, torch.float32)
                part[: got.numel()] = got
            parts.append(part)
        return torch.cat(parts) if parts else torch.zeros(0)


def cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Cosine of two vectors, ``[1]``."""
    size = torch.linalg.vector_norm(a) * torch.linalg.vector_norm(b)
    value: torch.Tensor = torch.dot(a, b) / size.clamp_min(1e-30)
    return value.reshape(1)


class GradientNoise:
    """Signal-to-noise ratio of the last gradients: ``sqrt(N) |mean g| / sqrt(mean |g|^2)``."""

    def __init__(self, window: int = 50) -> None:
        self._window = window
        self._kept: deque[torch.Tensor] = deque(maxlen=window)
        self._sum: torch.Tensor | None = None

    @torch.no_grad()
    def add(self, sketch: torch.Tensor) -> None:
        """Add one gradient's sketch."""
        dropped = self._kept[0] if len(self._kept) == self._window else None
        self._kept.append(sketch)
        self._sum = sketch.clone() if self._sum is None else self._sum.add_(sketch)
        if dropped is not None:
            self._sum.sub_(dropped)

    @torch.no_grad()
    def snr(self) -> torch.Tensor:
        """The ratio, ``[1]``; NaN until ten gradients were added; about 1 for pure noise."""
        n = len(self._kept)
        if n < 10 or self._sum is None:
            return torch.full((1,), float("nan"))
        squares = torch.stack([torch.dot(k, k) for k in self._kept]).mean()
        mean = torch.linalg.vector_norm(self._sum) / n
        value: torch.Tensor = n**0.5 * mean / squares.sqrt().clamp_min(1e-30)
        return value.reshape(1)


@torch.no_grad()
def clone_fraction(w: torch.Tensor) -> float:
    """Fraction of rows that equal another row within a relative distance of 1e-6."""
    rows = values_of(w).reshape(w.shape[0], -1).float()
    if rows.shape[0] < 2 or rows.shape[1] == 0:
        return 0.0
    if rows.shape[0] > 512:
        rows = rows[:512]
    distance = torch.cdist(rows.double(), rows.double())
    size = torch.linalg.vector_norm(rows.double(), 2, 1)
    limit = 1e-6 * torch.maximum(size[:, None], size[None, :])
    same = (distance <= limit).fill_diagonal_(False)
    return float(same.any(1).float().mean())


@torch.no_grad()
def initial_facts(w: torch.Tensor) -> dict[str, Any]:
    """How a weight ``[out, in, ...]`` was initialised; may wait for the device (called once)."""
    values = values_of(w)
    fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(w)
    std = float(values.float().std()) if values.numel() > 1 else 0.0
    low, high = (float(v) for v in torch.aminmax(values)) if values.numel() else (0.0, 0.0)
    return {
        "zero": low == high == 0.0,
        "constant": low == high,
        "clones": clone_fraction(w),
        "std": std,
        "gain": std * fan_in**0.5,
        "fan_in": fan_in,
        "fan_out": fan_out,
    }
