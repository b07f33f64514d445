"""Run a script with all the tools watching, and write down what each said.

    python -m corpus.peers.host OUT.json SCRIPT [TOOL ...]

The script is not changed: the model is the first that runs forward in training, a step is a step of
the first optimizer that steps, the loss is the root of backward. Tools look from inside hooks that
PyTorch offers to all; random states are put back after each call.
"""

from __future__ import annotations

import contextlib
import json
import random
import runpy
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.optim.optimizer import (
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from corpus.peers.meanings import Said
from corpus.peers.thresholds import Thresholds
from corpus.peers.tools import (
    ModelClinic,
    Tool,
    Torchmortem,
    TrainingDoctor,
    Trainpulse,
    Traintools,
)

TOOLS: dict[str, Any] = {
    "torchmortem": Torchmortem,
    "model-clinic": ModelClinic,
    "training-doctor": TrainingDoctor,
    "trainpulse": Trainpulse,
    "traintools": Traintools,
    "SageMaker Debugger's thresholds": Thresholds,
}
"""Every tool by the name that the page gives it."""


class Host:
    """Tells the tools of steps.

    Args:
        names: of the tools that watch.
    """

    def __init__(self, names: Sequence[str] = tuple(TOOLS)) -> None:
        self.names = names
        self.tools: dict[str, Tool] = {}
        self.faults: dict[str, str] = {}
        self.model: nn.Module | None = None
        self.leader: torch.optim.Optimizer | None = None
        self.strangers: set[int] = set()
        self.loss = float("nan")
        self.step = 0

    def install(self) -> None:
        """Hook into PyTorch."""
        nn.modules.module.register_module_forward_pre_hook(self._forward)
        register_optimizer_step_pre_hook(self._before)
        register_optimizer_step_post_hook(self._after)
        backward = torch.autograd.backward

        def seen(tensors: Any, *args: Any, **kwargs: Any) -> Any:
            roots = [tensors] if isinstance(tensors, torch.Tensor) else list(tensors)
            if roots and roots[0].numel() == 1:
                self.loss = float(roots[0].detach())
            return backward(tensors, *args, **kwargs)

        torch.autograd.backward = seen

    def _forward(self, module: nn.Module, _: Any) -> None:
        if self.model is not None or not torch.is_grad_enabled():
            return
        if not any(p.requires_grad for p in module.parameters()):
            return
        self.model = module
        for name in self.names:
            with self._apart(name):
                self.tools[name] = TOOLS[name](module, None)

    def _before(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        if self.leader is None and self._trains(optimizer):
            self.leader = optimizer
        if optimizer is self.leader:
            lr = float(optimizer.param_groups[0]["lr"])
            for name, tool in [*self.tools.items()]:
                with self._apart(name):
                    tool.before_step(self.step, self.loss, lr)

    def _trains(self, optimizer: torch.optim.Optimizer) -> bool:
        """It holds weights of the model; or it steps again and none has come that does."""
        own = {id(p) for p in self.model.parameters()} if self.model else set()
        held = {id(p) for g in optimizer.param_groups for p in g["params"]}
        strange = id(optimizer) in self.strangers
        self.strangers.add(id(optimizer))
        return bool(own & held) or strange

    def _after(self, optimizer: torch.optim.Optimizer, *_: Any) -> None:
        if optimizer is self.leader:
            for name, tool in [*self.tools.items()]:
                with self._apart(name):
                    tool.after_step(self.step, self.loss)
            self.step += 1

    @contextlib.contextmanager
    def _apart(self, name: str) -> Iterator[None]:
        """A tool's fault is noted and ends the tool; its random numbers are not the script's."""
        states = random.getstate(), np.random.get_state(), torch.get_rng_state()
        try:
            with contextlib.redirect_stdout(sys.stderr):
                yield
        except Exception as fault:
            self.faults[name] = f"{type(fault).__name__}: {fault}"
            self.tools.pop(name, None)
        finally:
            random.setstate(states[0])
            np.random.set_state(states[1])
            torch.set_rng_state(states[2])

    def report(self) -> dict[str, Any]:
        """What every tool said."""
        told: dict[str, list[Said]] = {}
        for name, tool in [*self.tools.items()]:
            with self._apart(name):
                told[name] = tool.said()
        said = {name: [asdict(s) for s in all_] for name, all_ in told.items()}
        return {"steps": self.step, "said": said, "faults": self.faults}


def main() -> None:
    out, script, *names = sys.argv[1:]
    host = Host(names or tuple(TOOLS))
    host.install()
    sys.argv = [script]
    sys.path[0] = str(Path(script).parent)
    try:
        runpy.run_path(script, run_name="__main__")
    finally:
        Path(out).write_text(json.dumps(host.report()), encoding="utf-8")


if __name__ == "__main__":
    main()
