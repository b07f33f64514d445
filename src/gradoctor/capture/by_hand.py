"""Updates written by hand: weights that change between two backwards without any optimizer."""

from __future__ import annotations

from typing import Any

import torch

from gradoctor import statistics as kernels
from gradoctor.capture.models import Models
from gradoctor.capture.parameters import ParameterWatch, Pending

MOST = 6
"""Weights that are compared: a step that moves none of the first six moves none."""


class HandSteps:
    """Compares samples of the weights after one backward with the same before the next."""

    def __init__(self, models: Models, parameters: ParameterWatch) -> None:
        self.models = models
        self.parameters = parameters
        self._samples: list[tuple[Any, torch.Tensor]] = []
        self._pending: Pending | None = None

    def remember(self, full: bool) -> None:
        """A backward ended and no optimizer has stepped so far.

        Args:
            full: keep whole weights too, so that the update can be measured.
        """
        held = [
            (info, p)
            for info in list(self.models.parameters.values())
            if (p := info.tensor()) is not None and p.requires_grad and p.grad is not None
        ]
        self._samples = [(i.ref, kernels.sample(p.detach(), 8).clone()) for i, p in held[:MOST]]
        self._pending = None
        if full and held:
            infos, params = [i for i, _ in held], [p for _, p in held]
            self.parameters.gradients(params, infos)
            self._pending = Pending(params, infos, kernels.snapshot(params), [0.0] * len(params))

    def moved(self) -> bool:
        """The weights are not what they were; what moved is measured."""
        moved = any(
            not torch.equal(kernels.sample(p.detach(), 8), old)
            for ref, old in self._samples
            if (p := ref()) is not None
        )
        if moved and self._pending is not None:
            self.parameters.measure_update(self._pending)
        return moved

    def forget(self) -> None:
        """An optimizer steps: the update is its own."""
        self._samples, self._pending = [], None
