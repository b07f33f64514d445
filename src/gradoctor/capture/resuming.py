"""Training that goes on from a file: what the file held, and what was taken from it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from gradoctor.capture.guard import Guard
from gradoctor.capture.recorder import Recorder
from gradoctor.capture.source import caller

_STATE = frozenset({"state", "param_groups"})


class Resuming:
    """Hears of states that are loaded from files, and of those that models and optimizers take."""

    def __init__(self, recorder: Recorder, guard: Guard) -> None:
        self.recorder = recorder
        self.guard = guard
        self._models = 0
        self._optimizers = 0
        self._offered: tuple[str, str | None, int | None] | None = None

    def patch(self, wrap: Callable[[Any, str, Any], None]) -> None:
        """Intercept loading."""
        wrap(torch, "load", self._load)
        wrap(nn.Module, "load_state_dict", self._into_model)
        wrap(torch.optim.Optimizer, "load_state_dict", self._into_optimizer)

    def _load(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        out = original(*args, **kwargs)
        self.guard.call("resuming", self._loaded, out)
        return out

    def _loaded(self, out: Any) -> None:
        for key, value in out.items() if isinstance(out, dict) else ():
            if isinstance(value, dict) and set(value) >= _STATE and value["state"]:
                self._offered = str(key), *caller()
        self._models = self._optimizers = 0

    def _into_model(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        out = original(*args, **kwargs)
        self._models += 1
        self.guard.call("resuming", self._state)
        return out

    def _into_optimizer(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        out = original(*args, **kwargs)
        self._optimizers += 1
        self.guard.call("resuming", self._state)
        return out

    def _state(self) -> None:
        if self._offered is not None and self._models:
            key, file, line = self._offered
            self.recorder.fact(
                "resumed", None, key, file=file, line=line, count=0, models=self._models,
                optimizers=self._optimizers,
            )  # fmt: skip
