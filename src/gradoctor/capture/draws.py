"""Samples that a script draws from what its own network put out: actions, mostly."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch.distributions import Distribution

from gradoctor.capture.guard import Guard
from gradoctor.capture.recorder import Recorder
from gradoctor.capture.source import caller

LOOKED_AT = 50
"""Draws: a script that draws does so from its first step on."""


class Draws:
    """States each line that samples a distribution whose parameters may be a prediction.

    Sampling in rollouts runs without gradient, where operations are not watched.
    """

    def __init__(self, recorder: Recorder, guard: Guard) -> None:
        self.recorder = recorder
        self.guard = guard
        self._drawn = 0

    def patch(self, wrap: Callable[..., None]) -> None:
        """Intercept ``multinomial`` and the ``sample`` of every distribution of torch."""
        wrap(torch, "multinomial", self._multinomial)
        wrap(torch.Tensor, "multinomial", self._multinomial)
        for kind in vars(torch.distributions).values():
            if isinstance(kind, type) and issubclass(kind, Distribution) and "sample" in vars(kind):
                wrap(kind, "sample", self._sample)

    def _multinomial(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        if not torch.compiler.is_compiling():
            weights = args[0] if args else kwargs.get("input")
            self.guard.call("draws", self._observe, "multinomial", [weights])
        return original(*args, **kwargs)

    def _sample(self, original: Any, drawn: Distribution, *args: Any, **kwargs: Any) -> Any:
        if not torch.compiler.is_compiling():
            held = vars(drawn).values()
            self.guard.call("draws", self._observe, type(drawn).__name__, held)
        return original(drawn, *args, **kwargs)

    def _observe(self, what: str, parameters: Iterable[Any]) -> None:
        if self._drawn >= LOOKED_AT:
            return
        if any(isinstance(p, torch.Tensor) and _may_be_predicted(p) for p in parameters):
            self._drawn += 1
            file, line = caller()
            key = f"{file}:{line}"
            if self.recorder.known_fact("draw", None, key) is None:  # one may sample by another
                self.recorder.fact("draw", None, key, file=file, line=line, what=what)


def _may_be_predicted(parameter: torch.Tensor) -> bool:
    """It hangs on weights, or nobody asked whether it does and it is no constant spread out."""
    if parameter.requires_grad or torch.is_grad_enabled():
        return parameter.requires_grad
    pairs = zip(parameter.shape, parameter.stride(), strict=True)
    return parameter.dim() > 0 and all(step for size, step in pairs if size > 1)
