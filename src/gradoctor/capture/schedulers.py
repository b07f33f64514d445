"""Learning-rate schedulers: when they are stepped, and with which settings."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch.optim import lr_scheduler

from gradoctor.capture.guard import Guard
from gradoctor.capture.optimizers import Optimizers
from gradoctor.capture.places import Place, Places
from gradoctor.capture.recorder import Recorder
from gradoctor.capture.source import caller, creator


@dataclass(slots=True)
class SchedulerInfo:
    """What is known of one scheduler."""

    site: int
    ref: weakref.ref[Any]
    base_lr: float
    step_place: Place = (None, None)
    steps: int = 0
    before_first_step: bool = False
    first_metric: float | None = None
    last_metric: float | None = None


class Schedulers:
    """Wraps ``step`` of every scheduler class of torch; calls from within a scheduler are its own.

    A scheduler steps once while it is made, and composed schedulers step their parts: only the
    outermost call from outside counts.
    """

    def __init__(
        self, recorder: Recorder, optimizers: Optimizers, places: Places, guard: Guard
    ) -> None:
        self.recorder = recorder
        self.optimizers = optimizers
        self.places = places
        self.guard = guard
        self.known: dict[int, SchedulerInfo] = {}
        self._inside = 0
        self._dirty: set[int] = set()

    def patch(self, wrap: Callable[..., None]) -> None:
        """Intercept constructors and steps."""
        for kind in vars(lr_scheduler).values():
            if not isinstance(kind, type) or not kind.__module__.startswith("torch.optim"):
                continue
            if "step" in vars(kind) and hasattr(kind, "state_dict"):
                wrap(kind, "step", self._step)
                wrap(kind, "__init__", self._made)
        wrap(torch.optim.swa_utils.SWALR, "__init__", self._made)

    def _made(self, original: Any, scheduler: Any, *args: Any, **kwargs: Any) -> None:
        outermost = not self._inside
        base_lr = self._rate(args[0] if args else kwargs.get("optimizer"))
        place = creator(scheduler, 2)
        self._inside += 1
        try:
            original(scheduler, *args, **kwargs)
        finally:
            self._inside -= 1
        if outermost:
            self.guard.call("schedulers", self._meet, scheduler, base_lr, place)

    def _rate(self, optimizer: Any) -> float:
        """The rate that the optimizer was made with, before the scheduler changes it."""
        groups = getattr(optimizer, "param_groups", None) or [{}]
        return float(groups[0].get("initial_lr", groups[0].get("lr", 0.0)))

    def _meet(self, scheduler: Any, base_lr: float, place: Place) -> SchedulerInfo | None:
        optimizer = getattr(scheduler, "optimizer", None)
        if not isinstance(optimizer, torch.optim.Optimizer):
            return None
        for part in getattr(scheduler, "_schedulers", ()):
            self.known.pop(id(part), None)
        kind, (file, line) = type(scheduler).__name__, place
        site = self.recorder.site(
            "scheduler", kind, key=(id(scheduler), len(self.known)), type=kind, file=file,
            line=line,
            meta={"class": kind, "optimizer": self.optimizers.info(optimizer).site},
        )  # fmt: skip
        made = SchedulerInfo(site, weakref.ref(scheduler), base_lr)
        self.known[id(scheduler)] = made
        self._dirty.add(id(scheduler))
        return made

    def _step(self, original: Any, scheduler: Any, *args: Any, **kwargs: Any) -> Any:
        if self._inside:
            return original(scheduler, *args, **kwargs)
        self._inside += 1
        try:
            out = original(scheduler, *args, **kwargs)
        finally:
            self._inside -= 1
        self.guard.call("schedulers", self._stepped, scheduler, args, kwargs, caller(2))
        return out

    def _stepped(self, scheduler: Any, args: Any, kwargs: Any, place: Place) -> None:
        info = self.known.get(id(scheduler))
        if info is None or info.ref() is not scheduler:
            info = self._meet(scheduler, self._rate(scheduler.optimizer), self.places.of(scheduler))
        if info is None:
            return
        optimizer = self.optimizers.info(scheduler.optimizer)
        info.steps += 1
        info.step_place = place
        if info.steps == 1:
            info.before_first_step = optimizer.steps == 0
        if isinstance(scheduler, lr_scheduler.ReduceLROnPlateau):
            metric = float(args[0] if args else kwargs["metrics"])
            info.first_metric = metric if info.first_metric is None else info.first_metric
            info.last_metric = metric
        self._dirty.add(id(scheduler))
        self.recorder.event("schedule", info.site, *place)

    def state(self) -> None:
        """State the facts of each scheduler that was stepped or whose optimizer went on."""
        for key, info in self.known.items():
            scheduler = info.ref()
            if scheduler is None or (key not in self._dirty and info.steps):
                continue
            optimizer = self.optimizers.info(scheduler.optimizer)
            self.recorder.fact(
                "scheduler", info.site, count=0, file=info.step_place[0], line=info.step_place[1],
                optimizer=optimizer.site, steps=info.steps, optimizer_steps=optimizer.steps,
                before_first_step=info.before_first_step, optimizer_live=optimizer.steps > 0,
                settings=settings(scheduler, info.base_lr), mode=getattr(scheduler, "mode", None),
                metric_falls=self._falls(info), **{"class": type(scheduler).__name__},
            )  # fmt: skip
        self._dirty.clear()

    @staticmethod
    def _falls(info: SchedulerInfo) -> bool | None:
        if info.first_metric is None or info.last_metric is None or info.steps < 2:
            return None
        return info.last_metric < info.first_metric


def settings(scheduler: Any, base_lr: float) -> dict[str, float]:
    """The numbers that a scheduler was made with: T_max, gamma, total_steps, ..."""
    numbers = {
        k: float(v)
        for k, v in vars(scheduler).items()
        if isinstance(v, int | float) and not isinstance(v, bool) and not k.startswith("_")
    }
    numbers.pop("last_epoch", None)
    return {**numbers, "base_lr": base_lr}
