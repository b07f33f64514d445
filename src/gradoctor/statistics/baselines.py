"""The loss of the best predictor that never looks at its input, from the targets so far."""

from __future__ import annotations

import torch
from torch.nn import functional

from gradoctor.statistics._tensors import values_of
from gradoctor.statistics.batches import LabelCounts

_KEPT = 8192


class Baseline:
    """Running trivial baseline of one loss function.

    Classification: the (smoothed, weighted) entropy of the label marginal. Regression: the loss of
    the best constant for each output, found on a sample of the targets. Binary: the mean entropy of
    each output's marginal. Unknown loss functions give NaN.

    Args:
        function: name as in ``torch.nn.functional``.
        options: ``label_smoothing``, ``weight``, ``ignore_index``, ``delta``, ``beta``.
    """

    def __init__(self, function: str, **options: object) -> None:
        self.function = function
        self.options = options
        self.labels: LabelCounts | None = None
        self._kept: list[torch.Tensor] = []
        self._held = 0
        self._sum: torch.Tensor | None = None
        self._count = 0
        self._width: int | None = None

    @torch.no_grad()
    def add(self, target: torch.Tensor, classes: int | None) -> None:
        """Add a batch of targets; ``classes`` is K where the target holds class labels."""
        if target.numel() == 0:
            return
        if self.function in ("cross_entropy", "nll_loss") and classes:
            if not target.is_floating_point():
                if self.labels is None:
                    index = self.options.get("ignore_index")
                    self.labels = LabelCounts(classes, index if isinstance(index, int) else None)
                self.labels.add(target)
            else:
                shares = target.detach().movedim(min(1, target.dim() - 1), -1)
                self._add_mean(shares.reshape(-1, shares.shape[-1]))
        elif self.function.startswith("binary_cross_entropy"):
            self._add_mean(self._rows(target))
        elif self._held < _KEPT:
            rows = self._rows(target)
            rows = rows[: _KEPT - self._held]
            self._kept.append(rows.clone())
            self._held += rows.shape[0]

    def _rows(self, target: torch.Tensor) -> torch.Tensor:
        """One row a sample; where lengths vary from batch to batch, one row an element."""
        values = values_of(target).float()
        rows = values.reshape(values.shape[0], -1) if values.dim() > 1 else values.reshape(-1, 1)
        rows = rows[:, :: max(1, rows.shape[1] // 256)]
        if self._width is None:
            self._width = rows.shape[1]
        elif rows.shape[1] != self._width and self._width > 1:
            self._width, self._sum, self._count = 1, None, 0
            self._kept, self._held = [], 0
        return rows if rows.shape[1] == self._width else rows.reshape(-1, 1)

    def _add_mean(self, rows: torch.Tensor) -> None:
        total = rows.double().sum(0)
        if self._sum is None or self._sum.shape != total.shape:
            self._sum, self._count = torch.zeros_like(total), 0
        self._sum = self._sum + total
        self._count += rows.shape[0]

    @torch.no_grad()
    def value(self) -> torch.Tensor:
        """The baseline in the loss's own unit, ``[1]``; NaN while nothing is known."""
        if self.labels is not None and self.labels.counts is not None:
            return self._of_labels(self.labels.counts)
        if self._sum is not None:
            share = (self._sum / max(self._count, 1)).clamp(1e-12, 1 - 1e-12)
            if self.function.startswith("binary"):
                entropy = -(share * share.log() + (1 - share) * torch.log1p(-share))
                return entropy.mean().reshape(1).float()
            return -(share * share.log()).sum().reshape(1).float()
        if self._kept:
            return self._of_values(torch.cat(self._kept))
        return torch.full((1,), float("nan"))

    def _of_labels(self, counts: torch.Tensor) -> torch.Tensor:
        share = counts / counts.sum().clamp_min(1)
        weight = self.options.get("weight")
        if isinstance(weight, torch.Tensor):
            share = share * weight.to(share)
            share = share / share.sum().clamp_min(1e-30)
        smoothing = self.options.get("label_smoothing")
        mixed = share
        if isinstance(smoothing, float) and smoothing > 0:
            mixed = (1 - smoothing) * share + smoothing / share.numel()
        return -(mixed * mixed.clamp_min(1e-300).log()).sum().reshape(1).float()

    def _of_values(self, rows: torch.Tensor) -> torch.Tensor:
        rows = rows[torch.isfinite(rows).all(1)].double()
        if rows.shape[0] < 2:
            return torch.full((1,), float("nan"))
        if self.function == "mse_loss":
            return rows.var(0, unbiased=False).mean().reshape(1).float()
        if self.function == "l1_loss":
            return (rows - rows.median(0).values).abs().mean().reshape(1).float()
        if self.function in ("smooth_l1_loss", "huber_loss"):
            return self._of_robust(rows)
        return torch.full((1,), float("nan"))

    def _of_robust(self, rows: torch.Tensor) -> torch.Tensor:
        """The best constant of a robust loss lies between median and mean: try 33 places."""
        low, high = rows.median(0).values, rows.mean(0)
        best: torch.Tensor | None = None
        for part in torch.linspace(0, 1, 33).tolist():
            guess = (low + part * (high - low)).expand_as(rows)
            if self.function == "huber_loss":
                delta = self.options.get("delta", 1.0)
                loss = functional.huber_loss(guess, rows, delta=float(str(delta)))
            else:
                beta = self.options.get("beta", 1.0)
                loss = functional.smooth_l1_loss(guess, rows, beta=float(str(beta)))
            best = loss if best is None else torch.minimum(best, loss)
        assert best is not None
        return best.reshape(1).float()
