"""What an intervention may do, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from gradoctor.interventions.stage import Stage

Call = tuple[tuple[Any, ...], dict[str, Any]]
"""Arguments of a call by position and by name."""


class Intervention:
    """Changes one thing in a script that trains; each method here changes nothing.

    Unlike capture, an intervention is not guarded: where it fails the trial fails, and says so.

    Attributes:
        operations: ``call`` and ``called`` are wanted: every operation is seen, which costs time.
        stage: what it acts on; known from ``begin`` on.
    """

    operations = False
    stage: Stage

    def begin(self, stage: Stage) -> None:
        """Torch has just been imported; ``stage.wrap`` intercepts what is not offered here."""
        self.stage = stage

    def batch(self, loader: Any, batch: Any) -> Any:
        """A loader gives a batch; what is returned is given instead."""
        return batch

    def forward(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """A training forward of a top-level module begins; it gets what is returned."""
        return args, kwargs

    def output(self, module: nn.Module, output: Any) -> Any:
        """That forward has ended; the script gets what is returned."""
        return output

    def call(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """An operation is about to run; it gets what is returned."""
        return args, kwargs

    def called(self, func: Any, call: Call, out: Any) -> Any:
        """An operation has run; the caller gets what is returned."""
        return out

    def before_backward(self, roots: list[torch.Tensor]) -> None:
        """A backward begins."""

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer is about to step."""

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        """An optimizer has stepped."""

    def end(self) -> None:
        """The trial ends: last facts may be stated."""
