"""What a session does about evaluation: which forwards are hooked, and who is told of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import nn

from gradoctor.capture.evaluations import Evaluations
from gradoctor.capture.models import ModuleInfo
from gradoctor.capture.norms import Norms
from gradoctor.capture.source import caller

if TYPE_CHECKING:
    from gradoctor.capture.session import Session

OPERATIONS = 3
FORWARDS = 2
"""Evaluations whose operations are looked at, and forwards in each: enough to see what is active
there."""
MEASURED = 8
"""Evaluations whose norms and inputs are measured each time their number doubles."""


class Evaluating:
    """Looks at the first forwards of some evaluations, and hears of the losses of all."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.losses = Evaluations(session.recorder, session.models)
        self.norms = Norms(session.recorder)
        self.measuring = False
        self._count = 0
        self._operations = 0
        self._forwards = 0

    def called_eval(self, module: nn.Module) -> None:
        """``eval()`` was called: see the next forwards for what should not be active in them."""
        session = self.session
        session.modes.called_eval(module, caller(3))
        if not session.recorder.step or session.compiled or not session.models.is_known(module):
            return
        self.losses.called_eval()
        self._count += 1
        if self._count % max(1, self._count // MEASURED):
            return
        self._forwards = FORWARDS
        session.hooks.install()
        if self._operations < OPERATIONS:
            self._operations += 1
            session.mode.enter()

    def called_state_dict(self, module: nn.Module) -> None:
        """``state_dict()`` was called: the script keeps a state of the model."""
        recorder, models = self.session.recorder, self.session.models
        if recorder.step and models.is_known(module):
            recorder.fact("checkpoint", None, models.name_of(module))

    def begins_training(self) -> None:
        """A training forward begins."""
        self._forwards = 0

    def takes(self, module: nn.Module, args: tuple[Any, ...]) -> bool:
        """A forward without gradient begins; whether it is to be measured."""
        self.measuring = self._forwards > 0
        if self.measuring:
            self._forwards -= 1
            if not module.training:
                self.session.inputs.observe_evaluation(module, args)
        return self.measuring

    def norm(self, info: ModuleInfo, module: nn.Module, args: tuple[Any, ...]) -> None:
        """A batch norm that is known from training ran without gradient."""
        if self.measuring:
            self.norms.in_evaluation(info, module, args)

    def close_step(self) -> None:
        """Record what was seen before the end of this step."""
        for watched in (self.losses, self.norms, self.session.inputs):
            self.session.guard.part("evaluation", watched.close_step)
