"""Losses, their gradients, and the best constant outputs, on plain numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import fmean

from gradoctor.knowledge.formulary._saturating import sigmoid, softplus
from gradoctor.knowledge.formulary._vector import log_softmax, softmax

Row = Sequence[float]
CLAMP = 100.0
"""``BCELoss`` takes no logarithm below minus this."""
LEAST = 1e-12
"""and divides by no p (1 - p) below this."""
SURE = 1e3
"""A logit whose probability is 0 or 1 in floats."""


def residuals(outputs: Row, targets: Row) -> list[float]:
    """Output minus target."""
    return [o - t for o, t in zip(outputs, targets, strict=True)]


def mse(outputs: Row, targets: Row) -> float:
    """The mean squared residual."""
    return fmean(r * r for r in residuals(outputs, targets))


def mse_gradients(outputs: Row, targets: Row) -> list[float]:
    """2 r / n."""
    return [2 * r / len(outputs) for r in residuals(outputs, targets)]


def rmse(outputs: Row, targets: Row) -> float:
    """The root of the mean squared residual."""
    return math.sqrt(mse(outputs, targets))


def rmse_gradients(outputs: Row, targets: Row) -> list[float]:
    """r / (n RMSE); NaN where all residuals are 0, as autograd has it (0 times infinity)."""
    root = rmse(outputs, targets)
    return [r / (len(outputs) * root) if root else math.nan for r in residuals(outputs, targets)]


def mae(outputs: Row, targets: Row) -> float:
    """The mean absolute residual."""
    return fmean(map(abs, residuals(outputs, targets)))


def mae_gradients(outputs: Row, targets: Row) -> list[float]:
    """sign(r) / n; 0 where the residual is 0."""
    return [((r > 0) - (r < 0)) / len(outputs) for r in residuals(outputs, targets)]


def huber(outputs: Row, targets: Row, delta: float = 1.0) -> float:
    """Half the square up to ``delta``, a straight line beyond."""
    sizes = map(abs, residuals(outputs, targets))
    return fmean(r * r / 2 if r <= delta else delta * (r - delta / 2) for r in sizes)


def huber_gradients(outputs: Row, targets: Row, delta: float = 1.0) -> list[float]:
    """The residual, cut off at ``delta``, over n."""
    return [min(max(r, -delta), delta) / len(outputs) for r in residuals(outputs, targets)]


def huber_centre(targets: Row) -> float:
    """Where the cut-off residuals add up to 0, by bisection."""
    low, high = min(targets), max(targets)
    while low < (middle := (low + high) / 2) < high:
        if sum(huber_gradients([middle] * len(targets), targets)) < 0:
            low = middle
        else:
            high = middle
    return middle


def nll(outputs: Sequence[Row], targets: Sequence[int]) -> float:
    """Minus the log-probability of the right class, on average."""
    return -fmean(row[t] for row, t in zip(outputs, targets, strict=True))


def nll_gradients(outputs: Sequence[Row], targets: Sequence[int]) -> list[list[float]]:
    """-1 / n at the right class."""
    return [
        [-1 / len(outputs) if k == t else 0.0 for k in range(len(row))]
        for row, t in zip(outputs, targets, strict=True)
    ]


def cross_entropy(outputs: Sequence[Row], targets: Sequence[int]) -> float:
    """``nll`` of the log-softmax of logits."""
    return nll([log_softmax(row) for row in outputs], targets)


def cross_entropy_gradients(outputs: Sequence[Row], targets: Sequence[int]) -> list[list[float]]:
    """(p - 1 at the right class) / n."""
    return [
        [(p - (k == t)) / len(outputs) for k, p in enumerate(softmax(row))]
        for row, t in zip(outputs, targets, strict=True)
    ]


def log_shares(targets: Sequence[int]) -> list[float]:
    """The logarithm of each class's share of the labels."""
    shares = [targets.count(k) / len(targets) for k in range(max(targets) + 1)]
    return [math.log(s) if s else -math.inf for s in shares]


def bce(outputs: Row, targets: Row) -> float:
    """Binary cross-entropy of probabilities, its logarithms cut off at -100 as in PyTorch."""
    pairs = zip(outputs, targets, strict=True)
    return -fmean(t * _clamped_log(p) + (1 - t) * _clamped_log(1 - p) for p, t in pairs)


def bce_gradients(outputs: Row, targets: Row) -> list[float]:
    """(p - t) / (p (1 - p)) / n, the divisor no less than 1e-12 as in PyTorch."""
    n = len(outputs)
    pairs = zip(outputs, targets, strict=True)
    return [(p - t) / max(p * (1 - p), LEAST) / n for p, t in pairs]


def _clamped_log(p: float) -> float:
    return -CLAMP if p <= 0 else max(math.log(p), -CLAMP)


def bce_with_logits(outputs: Row, targets: Row) -> float:
    """Binary cross-entropy of logits."""
    return fmean(softplus(x) - x * t for x, t in zip(outputs, targets, strict=True))


def bce_with_logits_gradients(outputs: Row, targets: Row) -> list[float]:
    """(sigmoid(x) - t) / n."""
    return [(sigmoid(x) - t) / len(outputs) for x, t in zip(outputs, targets, strict=True)]


def log_odds(targets: Row) -> float:
    """The logit of the targets' mean."""
    p = fmean(targets)
    return math.log(p / (1 - p)) if 0 < p < 1 else math.copysign(SURE, p - 0.5)


def kl_div(outputs: Sequence[Row], targets: Sequence[Row]) -> float:
    """KL(target || output) of log-probabilities and probabilities, over the batch's size."""
    return fmean(
        math.fsum(t * (math.log(t) - o) for o, t in zip(row, goal, strict=True) if t > 0)
        for row, goal in zip(outputs, targets, strict=True)
    )


def kl_div_gradients(outputs: Sequence[Row], targets: Sequence[Row]) -> list[list[float]]:
    """-t / n."""
    return [[-t / len(outputs) for t in goal] for goal in targets]


def log_mixture(targets: Sequence[Row]) -> list[float]:
    """The logarithm of the mean of the target distributions."""
    shares = [fmean(column) for column in zip(*targets, strict=True)]
    return [math.log(s) if s else -math.inf for s in shares]


def hinge(outputs: Row, targets: Row) -> float:
    """max(0, 1 - t x) on average, targets -1 or 1."""
    return fmean(max(1 - t * x, 0.0) for x, t in zip(outputs, targets, strict=True))


def hinge_gradients(outputs: Row, targets: Row) -> list[float]:
    """-t / n up to and at margin 1 (as ``clamp`` has it), 0 beyond."""
    n = len(outputs)
    return [-t / n if t * x <= 1 else 0.0 for x, t in zip(outputs, targets, strict=True)]


def majority(targets: Row) -> float:
    """The commoner sign."""
    return 1.0 if fmean(targets) >= 0 else -1.0
