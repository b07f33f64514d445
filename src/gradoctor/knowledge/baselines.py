"""Trivial baselines: for each loss function, the best predictor that never looks at its input.

The loss of that predictor is the one absolute yardstick there is: a network that does not beat it
has learnt nothing from its input, whatever its curve looks like.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class TrivialBaseline:
    """How the baseline of a loss function is found.

    Attributes:
        kind: the formula's name: ``entropy`` H(label marginal), ``binary_entropy`` the mean over
            outputs of H(p_j), ``variance`` Var(y), ``absolute_deviation`` mean |y - median|,
            ``huber`` the smallest Huber loss of a constant, ``poisson`` that of the mean rate.
        family: whether the trivial predictor is a distribution over classes or a number.
    """

    kind: Literal["entropy", "binary_entropy", "variance", "absolute_deviation", "huber", "poisson"]
    family: Literal["classification", "regression"]


_ENTROPY = TrivialBaseline("entropy", "classification")
_BINARY = TrivialBaseline("binary_entropy", "classification")
_HUBER = TrivialBaseline("huber", "regression")

BASELINES: dict[str, TrivialBaseline] = {
    "cross_entropy": _ENTROPY,
    "nll_loss": _ENTROPY,
    "binary_cross_entropy": _BINARY,
    "binary_cross_entropy_with_logits": _BINARY,
    "mse_loss": TrivialBaseline("variance", "regression"),
    "l1_loss": TrivialBaseline("absolute_deviation", "regression"),
    "smooth_l1_loss": _HUBER,
    "huber_loss": _HUBER,
    "poisson_nll_loss": TrivialBaseline("poisson", "regression"),
}
