"""Statistics of what goes into a model and into its loss function."""

from __future__ import annotations

import torch

from gradoctor.statistics._tensors import (
    absmax_of,
    rms_and_absmax,
    sample,
    scaled,
    to_float,
    values_of,
)

INPUT = (
    "input.mean", "input.std", "input.absmax", "input.nonfinite", "input.hash", "input.duplicates",
)  # fmt: skip
FEATURES = (
    "input.feature_mean", "input.feature_std", "input.feature_offset", "input.feature_spread",
    "input.samples",
)  # fmt: skip
EVAL_INPUT = ("input.eval_shift", "input.eval_scale", "input.eval_samples")
PREDICTION = ("prediction.mean", "prediction.rms", "prediction.centred_ratio")
SHAPE = ("lossfn.simplex", "lossfn.unit", "lossfn.logprob")
TARGET = (
    "target.mean", "target.std", "target.min", "target.max", "target.nonfinite", "target.hash",
)  # fmt: skip

MAX_FEATURES = 4096
_NAN = float("nan")


@torch.no_grad()
def hash_of(x: torch.Tensor) -> torch.Tensor:
    """A 24-bit hash of a batch (0-dim float32, exact), from up to 4,096 of its elements."""
    some = sample(x.detach(), 4096)
    if some.is_complex():
        some = torch.view_as_real(some).reshape(-1)
    if some.is_floating_point():
        some = some.float().contiguous().view(torch.int32)
    bits = some.to(torch.int64) & 0xFFFFFFFF
    place = torch.arange(1, bits.numel() + 1, device=bits.device)
    mixed = ((bits ^ (bits >> 15)) * 2654435761 + place * 40503) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 13)) * (2 * place + 1)) & 0xFFFFFFFFFF
    return ((mixed.sum() ^ (mixed.sum() >> 21)) & 0xFFFFFF).float()


@torch.no_grad()
def summarise_input(x: torch.Tensor) -> torch.Tensor:
    """The columns ``INPUT`` of a batch ``[batch, ...]``, float32 ``[6]``; moments NaN for ids."""
    nan = torch.full((), _NAN, device=x.device)
    duplicates = nan if x.is_sparse else _duplicates(x)
    x = values_of(x) if x.is_sparse or x.is_complex() else x
    if x.numel() == 0:
        return torch.stack([nan] * 6)
    if not x.is_floating_point():
        return torch.stack([nan, nan, nan, torch.zeros_like(nan), hash_of(x), duplicates])
    absmax = absmax_of(x)
    some = sample(x, 65536).double()
    some = some[torch.isfinite(some)] if x.device.type == "cpu" else some
    std = some.std() if some.numel() > 1 else nan
    bad = (~torch.isfinite(x)).sum().float()
    mean = some.mean() if some.numel() else nan
    return torch.stack([mean.float(), std.float(), absmax, bad, hash_of(x), duplicates])


def _duplicates(x: torch.Tensor) -> torch.Tensor:
    """Fraction of rows whose sampled elements equal another row's."""
    batch = x.shape[0] if x.dim() and x.numel() else 0
    nan = torch.full((), _NAN, device=x.device)
    if batch < 2 or batch > 4096 or x.dim() < 2:
        return nan
    rows = values_of(x).reshape(batch, -1)
    rows = rows[:, :: max(1, rows.shape[1] // 64)].double()
    # whole numbers: sums of floats depend on where a row lies in memory
    bits = (torch.nan_to_num(rows) + 0.0).contiguous().view(torch.int64)
    bits = bits ^ (bits >> 32) ^ (bits >> 52)
    place = torch.arange(1, rows.shape[1] + 1, device=x.device)
    keys = torch.sort((bits * (place * 0x9E3779B97F4A7C1 | 1)).sum(1)).values
    same = keys[1:] == keys[:-1]
    edge = torch.zeros(1, dtype=torch.bool, device=x.device)
    return (torch.cat([edge, same]) | torch.cat([same, edge])).float().mean()


class FeatureMoments:
    """Running mean and variance of each feature (channel of images and signals)."""

    def __init__(self) -> None:
        self._count = 0.0
        self._samples = 0
        self._mean: torch.Tensor | None = None
        self._m2: torch.Tensor | None = None

    @torch.no_grad()
    def add(self, x: torch.Tensor) -> None:
        """Add a batch ``[batch, features]``, ``[batch, channels, H, W]`` or ``[batch, T, F]``."""
        if x.dim() < 2 or x.numel() == 0 or not x.is_floating_point():
            return
        moved = x.detach().movedim(1, -1) if x.dim() >= 4 else x.detach()
        rows = moved.reshape(-1, moved.shape[-1])
        rows = rows[:, :: max(1, -(-rows.shape[1] // MAX_FEATURES))].double()
        mean, count = rows.mean(0), float(rows.shape[0])
        m2 = ((rows - mean) ** 2).sum(0)
        if self._mean is None or self._m2 is None or self._mean.shape != mean.shape:
            self._mean, self._m2, self._count, self._samples = mean, m2, count, 0
        else:
            total = self._count + count
            delta = mean - self._mean
            self._m2 += m2 + delta**2 * (self._count * count / total)
            self._mean += delta * (count / total)
            self._count = total
        self._samples += x.shape[0]

    @torch.no_grad()
    def summary(self) -> torch.Tensor:
        """The columns ``FEATURES``, float32 ``[5]``."""
        if self._mean is None or self._m2 is None:
            return torch.full((5,), _NAN)
        std = (self._m2 / max(self._count, 1.0)).sqrt()
        size = self._mean.abs()
        varies = std > 1e-9 * size.max().clamp_min(1e-30)
        none = torch.full_like(std[:1], _NAN).squeeze(0)
        least = torch.where(varies, std, torch.full_like(std, float("inf"))).min()
        offset = torch.where(varies, size / std.clamp_min(1e-30), torch.zeros_like(std)).max()
        spread = torch.where(torch.isfinite(least), std.max() / least.clamp_min(1e-30), none)
        count = torch.full_like(none, float(self._samples))
        return torch.stack([size.max(), std.max(), offset, spread, count]).float()

    @torch.no_grad()
    def against(self, usual: FeatureMoments) -> torch.Tensor:
        """The columns ``EVAL_INPUT``, float32 ``[3]``: these features against the usual ones.

        Medians over the features that vary in the usual data: |difference of the means| in its
        standard deviations, and log2 of the ratio of the standard deviations.
        """
        if self._mean is None or self._m2 is None or usual._mean is None or usual._m2 is None:
            return torch.full((3,), _NAN)
        if self._mean.shape != usual._mean.shape:
            return torch.full((3,), _NAN, device=self._mean.device)
        std = (self._m2 / max(self._count, 1.0)).sqrt()
        known = (usual._m2 / max(usual._count, 1.0)).sqrt()
        varies = known > 1e-3 * known.max().clamp_min(1e-30)
        shift = (self._mean - usual._mean).abs()[varies] / known[varies]
        scale = torch.log2(std[varies].clamp_min(1e-30) / known[varies])
        if not shift.numel():
            return torch.full((3,), _NAN, device=std.device)
        count = torch.full_like(shift[0], float(self._samples))
        return torch.stack([shift.median(), scale.median(), count]).float()


@torch.no_grad()
def summarise_prediction(p: torch.Tensor, classes: bool) -> torch.Tensor:
    """The columns ``PREDICTION``, float32 ``[3]``.

    Args:
        p: ``[batch, K, ...]`` scores for ``classes``, else any predicted values ``[batch, ...]``.
    """
    values = values_of(p).float()
    nan = torch.full((), _NAN, device=p.device)
    if values.numel() == 0:
        return torch.stack([nan] * 3)
    mean, (rms, absmax) = values.mean(), rms_and_absmax(values)
    values = scaled(values, absmax)
    if values.dim() == 0 or values.shape[0] < 2:
        return torch.stack([mean, rms, nan])
    if classes and values.dim() >= 2:
        rows = values.movedim(1, -1).reshape(-1, values.shape[1])
        rows = rows - rows.mean(1, keepdim=True)
        spread, total = rows.var(0, unbiased=False).mean(), (rows * rows).mean()
    else:
        rows = values.reshape(values.shape[0], -1)
        spread, total = rows.var(0, unbiased=False).mean(), (rows * rows).mean()
    return torch.stack([mean, rms, spread / total.clamp_min(1e-30)])


@torch.no_grad()
def summarise_probability_shape(p: torch.Tensor, class_dim: int = 1) -> torch.Tensor:
    """The columns ``SHAPE`` of a loss function's prediction, float32 ``[3]``."""
    values = values_of(p).float()
    if values.numel() == 0:
        return torch.full((3,), _NAN, device=p.device)
    inside = (values >= 0) & (values <= 1)
    unit = inside.float().mean()
    if values.dim() <= abs(class_dim):
        rows, within = values.reshape(1, -1), inside.reshape(1, -1)
    else:
        rows = values.movedim(class_dim, -1).reshape(-1, values.shape[class_dim])
        within = inside.movedim(class_dim, -1).reshape(-1, values.shape[class_dim])
    simplex = (within.all(1) & ((rows.sum(1) - 1).abs() < 1e-3)).float().mean()
    log = ((rows <= 1e-6).all(1) & ((rows.exp().sum(1) - 1).abs() < 1e-3)).float().mean()
    return torch.stack([simplex, unit, log])


@torch.no_grad()
def summarise_target(t: torch.Tensor, ignore_index: int | None = None) -> torch.Tensor:
    """The columns ``TARGET``, float32 ``[6]``; ignored targets are left out of the moments."""
    digest = hash_of(t) if t.numel() else torch.zeros((), device=t.device)
    values = values_of(t).reshape(-1)
    if ignore_index is not None and not t.is_floating_point():
        values = values[t.detach().reshape(-1) != ignore_index]
    bad = (~torch.isfinite(values)).sum().float()
    finite = values[torch.isfinite(values)].double()
    if finite.numel() == 0:
        nan = torch.full((), _NAN, device=t.device)
        return torch.stack([nan, nan, nan, nan, bad, digest])
    low, high = torch.aminmax(finite)
    moments = torch.stack([finite.mean(), finite.std(unbiased=False), low, high])
    return torch.cat([to_float(moments), torch.stack([bad, digest])])


class LabelCounts:
    """Counts of class labels so far.

    Args:
        classes: number of classes K.
    """

    def __init__(self, classes: int, ignore_index: int | None = None) -> None:
        self.classes = classes
        self.ignore_index = ignore_index
        self.counts: torch.Tensor | None = None
        self.ignored = 0
        self.seen = 0

    def _count(self, labels: torch.Tensor) -> torch.Tensor:
        flat = labels.detach().reshape(-1)
        keep = (flat >= 0) & (flat < self.classes)
        if self.ignore_index is not None:
            keep &= flat != self.ignore_index
        return torch.bincount(flat[keep].long(), minlength=self.classes).double()

    @torch.no_grad()
    def add(self, labels: torch.Tensor) -> None:
        """Add a batch of integer labels; those out of range or ignored are left out."""
        counts = self._count(labels)
        self.counts = counts if self.counts is None else self.counts + counts
        self.seen += labels.numel()

    @torch.no_grad()
    def entropy(self) -> torch.Tensor:
        """Entropy of the labels so far in nats, ``[1]``."""
        return _entropy(self.counts) if self.counts is not None else torch.full((1,), _NAN)

    @torch.no_grad()
    def batch_entropy(self, labels: torch.Tensor) -> torch.Tensor:
        """Entropy of one batch's labels in nats, ``[1]``."""
        return _entropy(self._count(labels))

    @torch.no_grad()
    def expected_batch_entropy(self, n: int) -> torch.Tensor:
        """Mean entropy of a batch of ``n`` labels drawn at random from those so far, ``[1]``.

        Exact: the sum over classes of E[-(k/n) log(k/n)], k binomial; a first-order correction
        ``H - (K - 1) / 2n`` where n is large.
        """
        if self.counts is None or n < 1:
            return torch.full((1,), _NAN)
        share = self.counts / self.counts.sum().clamp_min(1)
        share = share[share > 0]
        if n > 512 or share.numel() > 256:
            return (_entropy(self.counts) - (share.numel() - 1) / (2 * n)).clamp_min(0)
        k = torch.arange(1, n + 1, device=share.device, dtype=torch.float64)
        whole = torch.lgamma(torch.tensor(n + 1.0, dtype=torch.float64, device=share.device))
        choose = whole - torch.lgamma(k + 1) - torch.lgamma(n - k + 1)
        p = share.clamp(1e-12, 1 - 1e-12)[:, None]
        mass = torch.exp(choose + k * p.log() + (n - k) * torch.log1p(-p))
        return (mass * (-(k / n) * torch.log(k / n))).sum().reshape(1).float()

    @torch.no_grad()
    def kl_to(self, probabilities: torch.Tensor) -> torch.Tensor:
        """KL(label marginal || mean prediction) in nats, ``[1]``; ``probabilities`` is ``[K]``."""
        if self.counts is None:
            return torch.full((1,), _NAN)
        share = self.counts / self.counts.sum().clamp_min(1)
        ratio = share.clamp_min(1e-12) / probabilities.double().clamp_min(1e-12)
        return (share * ratio.log()).sum().reshape(1).float()


def _entropy(counts: torch.Tensor) -> torch.Tensor:
    share = counts / counts.sum().clamp_min(1)
    return -(share * share.clamp_min(1e-300).log()).sum().reshape(1).float()
