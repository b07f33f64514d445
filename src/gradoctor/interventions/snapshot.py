"""One training step, held as it was, so that its model can be run again on the same batch."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import nn

from gradoctor.interventions._intervention import Call, Intervention
from gradoctor.interventions._values import copied
from gradoctor.interventions.tape import Tape
from gradoctor.tracing import untouched

SEED = 20240229


class Snapshot(Intervention):
    """Waits for a step, and examines its model and batch when the optimizer has stepped.

    Weights, buffers, gradients, modes and random numbers are as they were afterwards, bit for bit.

    Args:
        at: the step.
        stop: end the trial after the examination.

    Attributes:
        model: the last top-level module that ran forward in the step.
        args, kwargs: a copy of what it was given.
        tape: from its output to the loss; None where that cannot be computed again.
        forwards: top-level training forwards in the step.
    """

    operations = True

    def __init__(self, at: int = 0, stop: bool = True) -> None:
        self.at = at
        self.model: nn.Module | None = None
        self.args: tuple[Any, ...] = ()
        self.kwargs: dict[str, Any] = {}
        self.out: Any = None
        self.tape: Tape | None = None
        self.forwards = 0
        self._stop = stop
        self._ready = False
        self._done = False

    def examine(self, model: nn.Module) -> None:
        """Look at the model; called once, with everything of the script put aside."""
        raise NotImplementedError

    # ---- waiting -----------------------------------------------------------------------------
    def forward(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """Hold what the model is given."""
        if not (self._done or self._ready) and self.stage.course.steps >= self.at:
            self.model, self.args, self.kwargs = module, copied(args), copied(kwargs)
            self.tape = Tape()
            self.forwards += 1
        return args, kwargs

    def output(self, module: nn.Module, output: Any) -> Any:
        """Hold what it gave."""
        self.out = output
        return output

    def called(self, func: Any, call: Call, out: Any) -> Any:
        """Follow what comes of the output."""
        if self.tape is not None and not (self._ready or self.stage.depth):
            self.tape.record(func, *call, out)
        return out

    def before_backward(self, roots: list[torch.Tensor]) -> None:
        """The step has its loss."""
        if self.model is None or self._ready or self._done:
            return
        self._ready = True
        with self.stage.aside():
            if self.tape is not None:
                self.tape.cut(roots[0])
                if not self.tape.repeats(self.out):
                    self.tape = None

    def after_step(self, optimizer: torch.optim.Optimizer) -> None:
        """No graph of the script's is alive now that buffers could be needed for."""
        if self._ready and self.model is not None:
            self._ready, self._done = False, True
            with self.stage.aside(), kept(self.model):
                self.examine(self.model)
            self.model = self.tape = self.out = None
            if self._stop:
                self.stage.stop()


@contextmanager
def kept(model: nn.Module) -> Iterator[None]:
    """``untouched``, and the modes of the modules and all other random numbers as well."""
    modes = {module: module.training for module in model.modules()}
    states = random.getstate(), np.random.get_state()
    try:
        with untouched(model):
            yield
    finally:
        for module, training in modes.items():
            module.training = training
        random.setstate(states[0])
        np.random.set_state(states[1])
