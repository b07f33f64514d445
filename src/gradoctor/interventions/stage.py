"""Where interventions act: torch's calls are intercepted and offered to each of them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim import optimizer as torch_optimizer
from torch.overrides import TorchFunctionMode
from torch.utils.data import DataLoader, dataloader
from torch.utils.hooks import RemovableHandle

from gradoctor.capture.session import Session
from gradoctor.interventions._intervention import Intervention
from gradoctor.interventions.course import CourseSink
from gradoctor.statistics import tensors_in
from gradoctor.trials.patches import Patches

_SAMPLED = 4096  # elements of a batch that its fingerprint is made of


class Operations(TorchFunctionMode):
    """Offers each operation to the interventions, unless they are at work themselves."""

    def __init__(self, stage: Stage) -> None:
        super().__init__()
        self.stage = stage

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if self.stage.busy:
            return func(*args, **kwargs)
        for intervention in self.stage.wanting:
            args, kwargs = intervention.call(func, args, kwargs)
        out = func(*args, **kwargs)
        for intervention in self.stage.wanting:
            out = intervention.called(func, (args, kwargs), out)
        return out


class Stage:
    """A process in which interventions act.

    Args:
        session: what counts the steps and knows when a backward runs.
        course: what is told.
        steps: after so many ``leave`` is called.
        leave: ends the process.

    Attributes:
        busy: an intervention runs something itself: nothing is offered meanwhile.
        depth: modules of a model in a training forward that are running now.
    """

    def __init__(
        self,
        session: Session,
        course: CourseSink,
        interventions: Sequence[Intervention],
        steps: int,
        leave: Callable[[], None],
    ) -> None:
        self.session = session
        self.course = course
        self.interventions = list(interventions)
        self.wanting = [i for i in interventions if i.operations]
        self.steps = steps
        self.busy = False
        self.depth = 0
        self._leave = leave
        self._hooks: list[RemovableHandle] = []
        self._patches = Patches()

    def install(self) -> None:
        """Start intercepting; after capture, so that it sees what the interventions make of it."""
        self._hooks = [
            torch_optimizer.register_optimizer_step_pre_hook(self._before_step),
            torch_optimizer.register_optimizer_step_post_hook(self._after_step),
        ]
        self.wrap(torch.autograd, "backward", self._backward)
        self.wrap(nn.Module, "__call__", self._call)
        self.wrap(DataLoader, "__iter__", self._iter)
        self.wrap(dataloader._BaseDataLoaderIter, "__next__", self._next)
        for intervention in self.interventions:
            intervention.begin(self)
        if self.wanting:
            Operations(self).__enter__()  # type: ignore[no-untyped-call]

    def remove(self) -> None:
        """Put everything back but the mode, which ends with the process."""
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
        self._patches.undo()
        self.wanting.clear()

    def wrap(self, home: Any, name: str, around: Callable[..., Any]) -> None:
        """Put ``around(original, *args, **kwargs)`` in the place of a function."""
        self._patches.wrap(home, name, around)

    # ---- the script's calls ------------------------------------------------------------------
    def _call(self, original: Any, module: nn.Module, *args: Any, **kwargs: Any) -> Any:
        top = not (self.depth or self.busy) and self._trains(module)
        if top:
            for intervention in self.interventions:
                args, kwargs = intervention.forward(module, args, kwargs)
            if not self.course.batch:
                self.course.batch = fingerprint((args, kwargs))
        elif not self.depth:
            return original(module, *args, **kwargs)
        self.depth += 1
        try:
            out = original(module, *args, **kwargs)
        finally:
            self.depth -= 1
        if top:
            for intervention in self.interventions:
                out = intervention.output(module, out)
        return out

    def _trains(self, module: nn.Module) -> bool:
        """A forward of a model in training: not a loss, not what a backward computes again."""
        if not torch.is_grad_enabled() or self.session.hooks.in_backward:
            return False
        if type(module).__module__.startswith("torch.nn.modules.loss"):
            return False
        return next(module.parameters(), None) is not None

    def _iter(self, original: Any, loader: Any) -> Any:
        iterator = original(loader)
        iterator._gradoctor_loader = loader  # whose batches they are; one may be used again
        return iterator

    def _next(self, original: Any, iterator: Any) -> Any:
        batch = original(iterator)
        loader = getattr(iterator, "_gradoctor_loader", iterator)
        for intervention in self.interventions:
            batch = intervention.batch(loader, batch)
        return batch

    def _backward(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        if self.busy:
            return original(*args, **kwargs)
        tensors = args[0] if args else kwargs.get("tensors")
        roots = [tensors] if isinstance(tensors, torch.Tensor) else list(tensors or ())
        for intervention in self.interventions:
            intervention.before_backward(roots)
        out = original(*args, **kwargs)
        self._leave_when_done()
        return out

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self.busy:
            return
        for intervention in self.interventions:
            intervention.before_step(optimizer)

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self.busy:
            return
        for intervention in self.interventions:
            intervention.after_step(optimizer)
        self._leave_when_done()

    def _leave_when_done(self) -> None:
        """Not within our own guarded code, where the end would look like a fault."""
        if self.course.steps >= self.steps:
            self._leave()

    # ---- for interventions -------------------------------------------------------------------
    @contextmanager
    def aside(self) -> Iterator[None]:
        """What runs inside is the intervention's own: neither offered to others nor captured."""
        guard = self.session.guard
        held, self.busy, guard.inside = (self.busy, guard.inside), True, True
        try:
            yield
        finally:
            self.busy, guard.inside = held

    def stop(self) -> None:
        """End the trial as soon as the script's step allows it."""
        self.steps = 0

    def state(self, **facts: Any) -> None:
        """Tell the parent what was found; the latest of a name counts."""
        self.course.state(**facts)

    def end(self) -> None:
        """Let the interventions say their last."""
        for intervention in self.interventions:
            intervention.end()


def fingerprint(value: Any) -> str:
    """Tells batches apart: a checksum of up to 4096 elements of each tensor in it."""
    total = 0
    for tensor in tensors_in(value):
        flat = tensor.detach().reshape(-1)
        sample = flat[:: max(1, flat.numel() // _SAMPLED)]
        sample = sample.float() if sample.is_floating_point() else sample
        total = zlib.crc32(sample.cpu().contiguous().numpy().tobytes(), total)
    return f"{total:08x}"
