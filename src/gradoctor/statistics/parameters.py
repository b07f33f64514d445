"""Statistics of weights, gradients and updates."""

from __future__ import annotations

from collections import deque
from typing import Any

import torch
from torch import nn
from torch.nn.utils.rnn import pad_sequence

from gradoctor.statistics._tensors import (
    absmax_of,
    norm_of,
    rms_and_absmax,
    rms_of,
    sample,
    scaled,
    to_float,
    values_of,
    zero_fraction,
)

PARAM = ("weight.rms", "weight.absmax", "weight.nonfinite")
GRAD = ("grad.rms", "grad.absmax", "grad.nonfinite", "grad.zero_fraction")
ZERO_SAMPLE = 4096
SKETCH = 16384


def _norms(tensors: list[torch.Tensor]) -> torch.Tensor:
    """rms and absmax of many tensors ``[P, 2]``: few launches when they share a GPU and a dtype."""
    if not tensors:
        return torch.empty(0, 2)
    first = tensors[0]
    alike = len({(t.device, t.dtype, t.is_sparse) for t in tensors}) == 1
    plain = first.dtype in (torch.float32, torch.float64)
    if first.is_cuda and alike and plain and all(t.numel() for t in tensors):
        squares = torch._foreach_norm(tensors, 2, torch.float64)
        largest = torch._foreach_norm(tensors, float("inf"))
        roots = torch.tensor([t.numel() ** -0.5 for t in tensors], device=first.device)
        rms = to_float(torch.stack(squares)) * roots
        return torch.stack([rms, to_float(torch.stack(largest))], 1)
    return torch.stack(
        [torch.stack(rms_and_absmax(values_of(t))).to(first.device) for t in tensors]
    )


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
    zeros = torch.stack([zero_fraction(sample(g, ZERO_SAMPLE)) for g in there]).to(device)
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
    olds = [_wide(old) for old in before]
    if all(old.device.type == "cpu" for old in olds):
        moved, dots = _moved_in_turn(olds, after, grads, decay)
        scale = torch.stack([rms_of(old) for old in olds])
    else:
        deltas = [
            torch.add(_wide(new) - old, old, alpha=rate)
            for old, new, rate in zip(olds, after, decay, strict=True)
        ]
        moved = _norms(deltas)[:, 0]
        scale = _norms(olds)[:, 0].to(moved.device)
        dots = torch.stack([_dot(d, g).to(moved) for d, g in zip(deltas, grads, strict=True)])
    rates = torch.tensor(decay, dtype=torch.float32, device=moved.device)
    return torch.stack([moved, moved / scale.clamp_min(1e-30), rates * scale, dots], 1)


def _moved_in_turn(
    olds: list[torch.Tensor],
    after: list[torch.Tensor],
    grads: list[torch.Tensor | None],
    decay: list[float],
) -> tuple[torch.Tensor, torch.Tensor]:
    """rms of each update and its product with the gradient, ``[P]`` both.

    All updates pass through one buffer, which stays in the processor's cache.
    """
    most = max(old.numel() for old in olds)
    buffers = {d: torch.empty(most, dtype=d) for d in {old.dtype for old in olds}}
    moved, dots = [], []
    for old, new, grad, rate in zip(olds, after, grads, decay, strict=True):
        delta = buffers[old.dtype][: old.numel()].view(old.shape)
        torch.sub(_wide(new), old, out=delta).add_(old, alpha=rate)
        moved.append(rms_of(delta))
        dots.append(_dot(delta, grad))
    return torch.stack(moved), torch.stack(dots)


def _wide(x: torch.Tensor) -> torch.Tensor:
    """Real values precise enough to be subtracted: float32 at least."""
    values = values_of(x)
    return values if values.dtype == torch.float64 else values.float()


def _dot(delta: torch.Tensor, grad: torch.Tensor | None) -> torch.Tensor:
    """The dot product (0-dim); NaN where there is no gradient of this shape."""
    values = None if grad is None else values_of(grad)
    if values is None or values.shape != delta.shape:
        return torch.full((), float("nan"), device=delta.device)
    return to_float(torch.dot(delta.reshape(-1), values.reshape(-1).to(delta.dtype)))


@torch.no_grad()
def lost_fraction(before: torch.Tensor, after: torch.Tensor, grad: torch.Tensor) -> torch.Tensor:
    """Elements with a gradient that the step left bitwise unchanged, ``[1]``."""
    with_gradient = grad != 0
    lost = ((before == after) & with_gradient).sum()
    fraction: torch.Tensor = lost / with_gradient.sum().clamp_min(1)
    return fraction.float().reshape(1)


@torch.no_grad()
def movements(
    first: list[torch.Tensor | None], now: list[torch.Tensor], device: torch.device
) -> torch.Tensor:
    """|W - W0| / |W0| of samples of some weights, ``[P]``; NaN where W0 is not known."""
    table = torch.full((len(now),), float("nan"), device=device)
    known = [
        (i, values_of(old).to(device), values_of(new).to(device))
        for i, (old, new) in enumerate(zip(first, now, strict=True))
        if old is not None and old.shape == new.shape and old.device == new.device
    ]
    if known:
        start = pad_sequence([old for _, old, _ in known], batch_first=True).double()
        moved = pad_sequence([new for _, _, new in known], batch_first=True).double() - start
        size = torch.linalg.vector_norm(start, 2, 1).clamp_min(1e-100)
        table[[i for i, _, _ in known]] = to_float(torch.linalg.vector_norm(moved, 2, 1) / size)
    return table


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
            missing = size
            if tensor is not None:
                got = sample(values_of(tensor), size).to(self._device, torch.float32)
                parts.append(got)
                missing = size - got.numel()
            if missing:
                parts.append(torch.zeros(missing, device=self._device))
        return torch.cat(parts) if parts else torch.zeros(0)


def cosine(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Cosine of two vectors, ``[1]``."""
    a, b = (scaled(v, absmax_of(v)) if v.numel() else v.float() for v in (a, b))
    size = torch.linalg.vector_norm(a) * torch.linalg.vector_norm(b)
    value: torch.Tensor = torch.dot(a, b) / size.clamp_min(1e-30)
    return value.reshape(1)


class GradientNoise:
    """Signal-to-noise ratio of the last gradients: ``sqrt(N) |mean g| / sqrt(mean |g|^2)``."""

    def __init__(self, window: int = 50) -> None:
        self._window = window
        self._kept: torch.Tensor | None = None
        self._norms: deque[torch.Tensor] = deque(maxlen=window)
        self._next = 0

    @torch.no_grad()
    def add(self, sketch: torch.Tensor) -> None:
        """Add one gradient's sketch."""
        if self._kept is None:
            self._kept = sketch.new_zeros((self._window, *sketch.shape))
        self._kept[self._next % self._window].copy_(sketch)
        self._next += 1
        self._norms.append(norm_of(sketch).double())

    @torch.no_grad()
    def snr(self) -> torch.Tensor:
        """The ratio, ``[1]``; NaN until ten gradients were added; about 1 for pure noise.

        Summed afresh: a running sum would carry one bad gradient's NaN or rounding for ever.
        """
        n = len(self._norms)
        if n < 10 or self._kept is None:
            return torch.full((1,), float("nan"))
        total = norm_of(self._kept.sum(0)).double()
        squares = (torch.stack(list(self._norms)) ** 2).mean()
        value: torch.Tensor = n**-0.5 * total / squares.sqrt().clamp_min(1e-100)
        return value.float().reshape(1)


@torch.no_grad()
def clone_fraction(w: torch.Tensor) -> float:
    """Fraction of rows that equal another row within a relative distance of 1e-6."""
    if w.numel() == 0 or w.shape[0] < 2:
        return 0.0
    rows = values_of(w).reshape(w.shape[0], -1).float()
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
