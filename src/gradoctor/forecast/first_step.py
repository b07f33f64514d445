"""The forecast of a script's own model on its first batch, while it trains as it would have."""

from __future__ import annotations

from typing import Any

from torch import nn

from gradoctor.capture.session import Session
from gradoctor.forecast.inputs import described
from gradoctor.prognosis import foresee
from gradoctor.tracing import Tracer


class FirstStep:
    """Follows the first forward that a backward follows, and states the forecast as a fact.

    Nothing of the training is run again or changed: the graph is noted as it is made, and what
    is repeated for want of a rule is a copy, with random numbers from a fork.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tracer: Tracer | None = None
        self._model = ""
        self._inputs = ""

    def begin(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A training forward begins: only the last one before the backward counts."""
        self._tracer = Tracer(self._where)
        self._model = type(module).__name__
        self._inputs = f"real {described(args, {})}".strip()

    def observe(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """An operation has run."""
        if self._tracer is not None:
            self._tracer.observe(func, args, kwargs, out)

    def end(self) -> None:
        """The first backward has ended."""
        if self._tracer is None or not self._tracer.nodes:
            return
        found = foresee(self._tracer.nodes, self._model, self._inputs)
        self._session.recorder.fact("forecast", forecast=found.to_data())
        self._tracer = None

    def _where(self) -> tuple[str, str, str | None, int | None]:
        models, owner = self._session.models, self._session.hooks.stack[-1]
        return models.name_of(owner), type(owner).__name__, *models.place_of(owner)
