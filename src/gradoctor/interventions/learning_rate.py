"""Another learning rate."""

from __future__ import annotations

from typing import Any

import torch

from gradoctor.interventions._intervention import Intervention


class LearningRate(Intervention):
    """Multiplies the learning rates inside ``step`` and puts them back, so that schedulers work.

    Args:
        factor: what each rate is multiplied by.
    """

    def __init__(self, factor: float) -> None:
        self.factor = factor
        self._held: list[tuple[dict[str, Any], Any]] = []

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Scale the rates of all groups (a rate may be a tensor, or None)."""
        for group in optimizer.param_groups:
            rate = group.get("lr")
            if isinstance(rate, int | float | torch.Tensor):
                self._held.append((group, rate))
                group["lr"] = rate * self.factor

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Put them back."""
        for group, rate in reversed(self._held):
            group["lr"] = rate
        self._held.clear()
