"""Models that get other weights while they are trained: looked at anew at once."""

from __future__ import annotations

import torch
from torch import nn

from gradoctor.capture.governor import Governor
from gradoctor.capture.models import Models

TIMES = 5
"""A model that is rebuilt again and again is not followed for ever."""


class Rebuilt:
    """Has the steps looked at closely that follow a change of a known model's weights."""

    def __init__(self, models: Models, governor: Governor) -> None:
        self.models = models
        self.governor = governor
        self.times = 0

    def see(self, module: nn.Module, thing: nn.Module | torch.Tensor) -> None:
        """A module or a parameter was put into a module after training had begun."""
        if self.times >= TIMES or not self.models.is_known(module):
            return
        if isinstance(thing, torch.Tensor) or next(thing.parameters(), None) is not None:
            self.times += 1
            self.governor.alarm()
