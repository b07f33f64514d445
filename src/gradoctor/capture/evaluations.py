"""Losses computed outside training: what each evaluation pass came to.

Only calls of loss functions are seen, never the forwards: evaluation runs as fast as it would.
"""

from __future__ import annotations

import sys
import weakref
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch
from torch import nn
from torch.multiprocessing import reductions

from gradoctor.capture.losses import CLASSIFYING, POSITIONS
from gradoctor.capture.models import Models
from gradoctor.capture.recorder import Recorder
from gradoctor.capture.source import LIBRARY, USER, caller, rank

PASSES = 3
"""Calls of ``eval()`` between two steps that begin passes of their own."""

PLACES = 12
"""Places that are told apart; a script has two or three."""

OUTER = 3
"""Frames of the script around the one that calls, which tell its evaluations apart."""

JUDGED = 8
"""Batches of a pass whose right answers are counted."""
ELEMENTS = 1 << 16
"""Elements of a prediction that are looked at for them."""

Key = tuple[Any, ...]


@dataclass(slots=True)
class Pass:
    """One evaluation: the loss calls of one place between two steps."""

    losses: list[float | torch.Tensor] = field(default_factory=list)
    weights: list[int] = field(default_factory=list)
    right: list[float | torch.Tensor] = field(default_factory=list)
    with_grad: bool = False
    in_train_mode: tuple[str, ...] = ()
    counted: int = -1
    norms_moved: bool = False


@dataclass(slots=True)
class Place:
    """What is known of one place that evaluates."""

    site: int
    function: str
    file: str | None
    line: int | None
    passes: int = 0
    batches: int = 0
    train_mode: int = 0
    norms_moved: int = 0
    modules: tuple[str, ...] = ()


class Evaluations:
    """Gathers the losses that no backward will follow.

    Args:
        models: knows the models that are trained, and which of their modules depend on the mode.
    """

    def __init__(self, recorder: Recorder, models: Models) -> None:
        self.recorder = recorder
        self.models = models
        self.eval_called = False
        self._places: dict[Key, Place] = {}
        self._now: dict[Key, Pass] = {}
        self._number = 0
        self._latest: tuple[Key, Place | None, Pass | None] = ((), None, None)
        self._moody: list[weakref.ref[Any]] = []
        self._known = -1
        self._trained: Any = None

    # ---- what is an evaluation -----------------------------------------------------------------
    def outside_training(self) -> bool:
        """No gradient is kept, or every model that was trained is in eval mode."""
        return not torch.is_grad_enabled() or self._in_eval_mode()

    def _in_eval_mode(self) -> bool:
        known = False
        for root in self.models.roots:
            model = root.ref()
            if model is not None:
                if model.training:
                    return False
                known = True
        return known

    def called_eval(self) -> None:
        """``eval()`` was called: another pass begins if losses were seen since the last step."""
        self.eval_called = True
        if self._now and self._number < PASSES:
            self._number += 1

    def begin_backward(self) -> None:
        """What ran with gradient in eval mode was training after all if that mode still holds."""
        if self._now and self._in_eval_mode():
            self._now = {k: p for k, p in self._now.items() if not p.with_grad}
            self._latest = ((), None, None)

    # ---- loss calls ------------------------------------------------------------------------------
    def observe(self, name: str, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """A loss function was called outside training."""
        given = dict(zip(("input", "target", *POSITIONS.get(name, ())), args, strict=False))
        given |= kwargs
        prediction, target = given.get("input"), given.get("target")
        if not isinstance(prediction, torch.Tensor) or not isinstance(target, torch.Tensor):
            return
        if not _is_plain(out) or (prediction.requires_grad and not torch.is_grad_enabled()):
            return  # unreadable, or the output of a training forward that is looked at once more
        if self._is_trained(prediction):
            return  # the same, detached
        place, now = self._pass(name, _frame())
        if place is None or now is None:
            return
        count = max(1, prediction.shape[0]) if prediction.dim() else 1
        value = _number(out.detach() if out.requires_grad else out)
        now.losses.append(value / count if given.get("reduction") == "sum" else value)
        now.weights.append(count)
        if len(now.losses) <= 2:
            self._look_at_modes(now)
        if name in CLASSIFYING and len(now.right) < JUDGED:
            self._judge(now, prediction.detach(), target)

    def in_training(self, args: tuple[Any, ...]) -> None:
        """A loss function was called in training: its prediction may be looked at once more."""
        self._trained = _storage(args[0]) if args else None

    def _is_trained(self, prediction: torch.Tensor) -> bool:
        """It has the values of the latest prediction in training, unless those are gone."""
        trained = self._trained
        alive = trained is not None and not trained.expired()
        return alive and trained == _storage(prediction)

    def _pass(self, name: str, frame: FrameType | None) -> tuple[Place | None, Pass | None]:
        """The place that calls, and its pass that goes on."""
        outer = frame.f_back if frame is not None else None
        lines = [f.f_lineno for f in (frame, outer) if f is not None]
        at = (id(frame), *lines, name, self._number)
        if at != self._latest[0] or not self._now:
            key = self._key(name, frame)
            place = self._places.get(key)
            if place is None and len(self._places) < PLACES:
                place = self._places[key] = self._meet(key, name, frame)
            if place is None:
                return None, None
            now = self._now.setdefault(key, Pass(with_grad=torch.is_grad_enabled()))
            self._latest = at, place, now
        return self._latest[1:]

    def _key(self, name: str, frame: FrameType | None) -> Key:
        outer: list[tuple[str, int]] = []
        while frame is not None and len(outer) < OUTER:
            if rank(frame.f_code.co_filename) == USER:
                outer.append((frame.f_code.co_filename, frame.f_lineno))
            frame = frame.f_back
        return (name, *outer, self._number)

    def _meet(self, key: Key, name: str, frame: FrameType | None) -> Place:
        file, line = caller(frame=frame) if frame is not None else (None, None)
        site = self.recorder.site(
            "lossfn", name, key=("evaluation", *key), type=name, file=file, line=line,
            meta={"function": name, "evaluation": True, "loss": None, "pass": key[-1]},
        )  # fmt: skip
        return Place(site, name, file, line)

    def _judge(self, now: Pass, prediction: torch.Tensor, target: torch.Tensor) -> None:
        if prediction.dim() < 2 or target.dtype.is_floating_point or not prediction.numel():
            return
        rows = max(1, ELEMENTS // max(1, prediction[0].numel()))
        right = prediction[:rows].argmax(1) == target[:rows]
        now.right.append(_number(right.float()))

    # ---- modes -----------------------------------------------------------------------------------
    def _look_at_modes(self, now: Pass) -> None:
        """Which modules that depend on the mode are in train mode, and whether norms count."""
        if self._known != len(self.models.modules):
            self._known = len(self.models.modules)
            self._moody = [
                i.ref for i in self.models.modules.values()
                if i.ref is not None and i.role in ("norm", "dropout")
            ]  # fmt: skip
        alive = [m for ref in self._moody if (m := ref()) is not None and m.training]
        active = [m for m in alive if _depends_on_mode(m)]
        if not active or not any((m := r.ref()) is not None and m.training for r in self._roots()):
            return
        now.in_train_mode = tuple(self.models.name_of(m) for m in active[:5])
        norm = next((m for m in active if _counter(m) is not None), None)
        counter = _counter(norm) if norm is not None else None
        if counter is not None and self._places_young():
            counted = int(counter)
            now.norms_moved = now.norms_moved or 0 <= now.counted < counted
            now.counted = counted

    def _roots(self) -> list[Any]:
        return self.models.roots

    def _places_young(self) -> bool:
        """Reading a counter makes a GPU wait: only the first passes do it."""
        return all(p.passes < 8 for p in self._places.values())

    # ---- the step's end --------------------------------------------------------------------------
    def close_step(self) -> None:
        """Record the passes that ended before this step."""
        for key, now in self._now.items():
            place = self._places[key]
            place.passes += 1
            place.batches = max(place.batches, len(now.losses))
            place.train_mode += bool(now.in_train_mode)
            place.norms_moved += now.norms_moved
            place.modules = now.in_train_mode or place.modules
            self._put(place.site, now)
            self.recorder.fact(
                "evaluation", place.site, file=place.file, line=place.line,
                function=place.function, passes=place.passes, batches=place.batches,
                train_mode=place.train_mode, norms_moved=place.norms_moved,
                modules=list(place.modules), eval_called=self.eval_called,
            )  # fmt: skip
        self._now, self._number = {}, 0
        self._latest = ((), None, None)

    def _put(self, site: int, now: Pass) -> None:
        total = sum(now.weights)
        loss = _mean(now.losses, [w / total for w in now.weights])
        self.recorder.put(site, ("eval.loss",), loss)
        self.recorder.put(site, ("eval.samples",), (float(total),))
        if now.right:
            share = [1.0 / len(now.right)] * len(now.right)
            self.recorder.put(site, ("eval.accuracy",), _mean(now.right, share))


def _frame() -> FrameType | None:
    """The innermost frame of the script, else of a library."""
    frame: FrameType | None = sys._getframe(2)
    fallback: FrameType | None = None
    while frame is not None:
        kind = rank(frame.f_code.co_filename)
        if kind == USER:
            return frame
        fallback = fallback or (frame if kind == LIBRARY else None)
        frame = frame.f_back
    return fallback


def _is_plain(value: Any) -> bool:
    """A tensor with values of its own: not one that stands for a batch, or for none at all."""
    return (
        type(value) is torch.Tensor
        and value.numel() > 0
        and value.device.type != "meta"
        and not torch._C._functorch.is_functorch_wrapped_tensor(value)
    )


def _storage(tensor: Any) -> Any:
    """A weak reference to where a tensor's values lie; None for what has no place of its own.

    An address says less: a new tensor may get that of one that is gone.
    """
    if type(tensor) is not torch.Tensor or tensor.layout != torch.strided:
        return None
    if torch._C._functorch.is_functorch_wrapped_tensor(tensor):
        return None
    weak: Any = reductions.StorageWeakRef
    return weak(tensor.untyped_storage())


def _number(value: torch.Tensor) -> float | torch.Tensor:
    """Mean of a tensor: a number on the CPU, elsewhere a tensor that nobody has to wait for."""
    mean = value if value.numel() == 1 else value.float().mean()
    return float(mean) if value.device.type == "cpu" else mean.float().reshape(())


def _mean(values: list[float | torch.Tensor], shares: list[float]) -> tuple[float] | torch.Tensor:
    if all(isinstance(v, float) for v in values):
        return (sum(float(v) * s for v, s in zip(values, shares, strict=True)),)
    stacked = torch.stack([torch.as_tensor(v) for v in values])
    return (stacked * torch.tensor(shares, device=stacked.device)).sum().reshape(1)


def _depends_on_mode(module: Any) -> bool:
    if isinstance(module, nn.modules.batchnorm._BatchNorm):
        return True
    return isinstance(module, nn.modules.dropout._DropoutNd) and module.p > 0


def _counter(module: Any) -> torch.Tensor | None:
    found = getattr(module, "num_batches_tracked", None)
    return found if isinstance(found, torch.Tensor) else None
