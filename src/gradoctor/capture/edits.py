"""Weights that something else than their optimizer changes between two of its steps."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import torch

from gradoctor import statistics as kernels
from gradoctor.capture.models import Models, ParameterInfo
from gradoctor.capture.recorder import Look, Recorder
from gradoctor.capture.source import caller

MOST = 48
"""Weights of an optimizer that are followed, spread over all it holds."""
SAMPLE = 64
"""Elements of each that are compared."""
_NAMES = (
    "copy_", "add_", "sub_", "mul_", "div_", "clamp_", "clamp_min_", "clamp_max_", "clip_",
    "fill_", "zero_", "lerp_", "normal_", "uniform_", "trunc_normal_", "set_",
)  # fmt: skip
_DATA: Any = torch.Tensor.data
WRITES: dict[Any, str] = {
    getattr(torch.Tensor, name): name for name in _NAMES if hasattr(torch.Tensor, name)
} | {_DATA.__set__: "data"}
"""Calls by which scripts write to a tensor."""


@dataclass(slots=True)
class Held:
    """Samples of an optimizer's weights around one of its steps."""

    infos: list[ParameterInfo]
    before: list[torch.Tensor]
    after: list[torch.Tensor] = field(default_factory=list)
    shared: set[int] = field(default_factory=set)


@dataclass(slots=True)
class Edited:
    """What became of one weight between steps."""

    checked: int = 0
    edited: int = 0
    undone: int = 0


class WeightEdits:
    """Compares weights as an optimizer left them with what it finds at its next step."""

    def __init__(self, recorder: Recorder, models: Models) -> None:
        self.recorder = recorder
        self.models = models
        self.stepping = False
        self._held: dict[int, Held] = {}
        self._known: dict[int, Edited] = {}
        self._places: dict[int, tuple[str, str | None, int | None]] = {}
        self._storages: dict[int, int] = {}

    @property
    def waiting(self) -> bool:
        """Weights are to be compared when an optimizer steps next."""
        return bool(self._held)

    def before_step(self, site: int, params: list[torch.Tensor]) -> None:
        """An optimizer is about to step."""
        self.stepping = True
        held = self._held.pop(site, None)
        if held is not None and held.after:
            self._compare(held)
        for other in self._held.values():
            other.shared.update(map(id, params))
        if self.recorder.look >= Look.FULL:
            chosen = [p for p in params if p.dim() > 1 and p.grad is not None and not p.is_sparse]
            chosen = chosen[:: max(1, -(-len(chosen) // MOST))]
            infos = [i for p in chosen if (i := self.models.known_parameter(p)) is not None]
            self._held[site] = Held(infos, [_sample(i) for i in infos])

    def after_step(self, site: int) -> None:
        """It has stepped."""
        self.stepping = False
        held = self._held.get(site)
        if held is not None and not held.after:
            held.after = [_sample(i) for i in held.infos]
            storages = ((i.site, i.tensor()) for i in held.infos)
            self._storages = {t.data_ptr(): s for s, t in storages if t is not None}

    def see(self, name: str, args: tuple[Any, ...]) -> None:
        """The script writes to a tensor: is it one of the weights?"""
        target = args[0] if args else None
        if isinstance(target, torch.Tensor) and not target.is_sparse:
            site = self._storages.get(target.data_ptr())
            if site is not None:
                self._places[site] = ("load_state_dict" if _loading() else name, *caller())

    def _compare(self, held: Held) -> None:
        rows = [
            (info, before, after, now)
            for info, before, after in zip(held.infos, held.before, held.after, strict=True)
            if id(p := info.tensor()) not in held.shared and p is not None
            and (now := _sample(info)).shape == after.shape == before.shape
            and now.device == after.device
        ]  # fmt: skip
        if not rows:
            return
        rows = [row for row in rows if row[3].device == rows[0][3].device]
        same = torch.stack([(now == after).all() for _, _, after, now in rows]).tolist()
        for (info, before, after, now), kept in zip(rows, same, strict=True):
            seen = self._known.setdefault(info.site, Edited())
            seen.checked += 1
            if not kept and bool(torch.isfinite(now).all()):
                seen.edited += 1
                seen.undone += _is_undone(before, after, now)
            if seen.edited:
                self._state(info, seen)
        self._places.clear()

    def _state(self, info: ParameterInfo, seen: Edited) -> None:
        op, file, line = self._places.get(info.site, ("", None, None))
        known = self.recorder.known_fact("edited", info.site)
        if known is not None and not op:
            op = known.data["op"]
        self.recorder.fact(
            "edited", info.site, file=file, line=line, count=0, checked=seen.checked,
            edited=seen.edited, undone=seen.undone, op=op,
        )  # fmt: skip


def _sample(info: ParameterInfo) -> torch.Tensor:
    p = info.tensor()
    return torch.empty(0) if p is None else kernels.sample(p.detach(), SAMPLE).clone()


def _is_undone(before: torch.Tensor, after: torch.Tensor, now: torch.Tensor) -> bool:
    """Nine tenths of the step were taken back; zeros (a mask's) and bounds (a clamp's) apart."""
    bounded = now.abs() == now.abs().max()
    if int(bounded.sum()) > max(1, now.numel() // 8):
        return False
    free = now != 0
    step, left = (after - before)[free].norm(), (now - before)[free].norm()
    return bool(step > 0) and bool(left <= 0.1 * step)


def _loading() -> bool:
    """A module's ``load_state_dict`` is running."""
    frame: FrameType | None = sys._getframe(1)
    for _ in range(24):
        if frame is None:
            return False
        if frame.f_code.co_name == "load_state_dict":
            return True
        frame = frame.f_back
    return False
