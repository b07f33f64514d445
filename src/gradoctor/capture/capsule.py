"""Keeps what is needed to run one training step again, when something bad was born in it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from gradoctor import capsules
from gradoctor.capsules import Raw
from gradoctor.capture.forwards import Forward
from gradoctor.capture.packing import pack, plain, to_raw
from gradoctor.capture.source import USER, rank, variables
from gradoctor.statistics import tensors_in

if TYPE_CHECKING:
    from gradoctor.capture.session import Session

LIMIT = 256 << 20
"""Bytes that a capsule may have."""

FRAMES, VARIABLES = 4, 128
"""Frames of the script's whose variables are kept, and variables of each."""


class Capsule:
    """Writes the first bad step of a run beside its run file.

    Args:
        path: the file, None when none is wanted.
        limit: bytes that it may have; where all would have more, the weights are left out.
        target: the script and its arguments, as ``gradoctor run`` was given them.
    """

    def __init__(
        self,
        session: Session,
        path: Path | None = None,
        limit: int = LIMIT,
        target: Sequence[str] = (),
    ) -> None:
        self.session = session
        self.target = list(target)
        self.frames: list[FrameType] = []
        self.home = os.getcwd()  # the script may go elsewhere
        self.path = path
        self.limit = limit

    def keep(self, origin: dict[str, Any]) -> dict[str, str]:
        """Write it; gives its path, and in plain words what it lacks or why there is none."""
        if self.path is None or not self.limit:
            return {"capsule": "", "capsule_lost": ""}
        group = list(self.session.forwards.group)
        if not group:
            return {"capsule": "", "capsule_lost": "no forward of a module was seen"}
        try:
            tensors, meta = self._step(group)
            room = self.limit - sum(raw.size for raw in tensors.values())
            if room < 0:
                return {"capsule": "", "capsule_lost": f"the batch has over {self.limit} bytes"}
            weights, lost = self._weights(group, room)
            meta |= {"origin": origin, "lost": lost}
            capsules.write(self.path, {**tensors, **weights}, meta)
        except Exception as fault:  # a full disk, or values that nobody foresaw
            return {"capsule": "", "capsule_lost": f"{type(fault).__name__}: {fault}"[:200]}
        return {"capsule": str(self.path), "capsule_lost": lost}

    def _step(self, group: list[Forward]) -> tuple[dict[str, Raw], dict[str, Any]]:
        """All but the weights: the calls of models, random numbers, and the script's variables."""
        tensors: dict[str, Raw] = {}
        models = _models(group)
        calls = []
        for number, forward in enumerate(group):
            name = f"call.{number}"
            generator = to_raw(forward.generator)
            assert generator is not None
            tensors[f"{name}.generator"] = generator
            for index, state in forward.devices.items():
                raw = to_raw(state)
                assert raw is not None
                tensors[f"{name}.cuda.{index}"] = raw
            calls.append({
                "model": models.index(forward.model), "devices": list(forward.devices),
                "args": pack(forward.args, f"{name}.args", tensors),
                "kwargs": pack(forward.kwargs, f"{name}.kwargs", tensors),
            })  # fmt: skip
        told = [{"class": type(m).__qualname__, "attributes": _attributes(m)} for m in models]
        batch = next((len(x) for x in tensors_in(group[0].args) if x.dim()), -1)
        frames = [_frame(f, i, batch, tensors) for i, f in enumerate(self._frames())]
        return tensors, {
            "calls": calls, "models": told, "frames": frames, "cwd": self.home,
            "target": self.target,
            "torch": torch.__version__, "step": self.session.recorder.step,
        }  # fmt: skip

    def _frames(self) -> list[FrameType]:
        """Where the script is, or was when it gave up."""
        return self.frames[:FRAMES] or list(_user_frames())

    def _weights(self, group: list[Forward], room: int) -> tuple[dict[str, Raw], str]:
        """Parameters, and buffers as they were before the forward, as far as they were copied."""
        found: dict[str, Raw] = {}
        held: dict[str, torch.Tensor] = {}
        for number, model in enumerate(_models(group)):
            buffers = self.session.forwards.buffers.get(id(model))
            for name, p in model.named_parameters():
                held[f"model.{number}.{name}"] = p
            for name, b in model.named_buffers():
                before = buffers.before(b) if buffers is not None else None
                held[f"model.{number}.{name}"] = b if before is None else before
        if sum(t.numel() * t.element_size() for t in held.values()) > room:
            return {}, "the weights: they are too large"
        odd = []
        for name, tensor in held.items():
            raw = to_raw(tensor)
            if raw is None:
                odd.append(name)
            else:
                found[name] = raw
        return found, f"{', '.join(odd[:5])}: of a kind that cannot be kept" if odd else ""


def _models(group: list[Forward]) -> list[nn.Module]:
    """The models of the calls, in the order in which they were first called."""
    return list({id(f.model): f.model for f in group}.values())


def _attributes(model: nn.Module) -> dict[str, dict[str, Any]]:
    """Plain attributes of a model's modules: modes, counters, temperatures."""
    return {
        path: {k: v for k, v in vars(m).items() if k[0] != "_" and plain(v) and v is not None}
        for path, m in model.named_modules()
    }


def _user_frames() -> Iterator[FrameType]:
    frame: FrameType | None = sys._getframe(1)
    found = 0
    while frame is not None and found < FRAMES:
        if rank(frame.f_code.co_filename) == USER:
            found += 1
            yield frame
        frame = frame.f_back


def _frame(frame: FrameType, number: int, batch: int, tensors: dict[str, Raw]) -> dict[str, Any]:
    """The variables of one frame that belong to the step: plain ones, and those of the batch."""
    kept: dict[str, Any] = {}
    for name, value in list(variables(frame).items())[:VARIABLES]:
        numbers = isinstance(value, int | float)
        mine = list(tensors_in(value))
        of_batch = bool(mine) and all(x.dim() > 0 and len(x) == batch for x in mine)
        if name[0] != "_" and (numbers or of_batch):
            packed = pack(value, f"frame.{number}.{name}", tensors)
            if packed["kind"] != "left out":
                kept[name] = packed
    code = frame.f_code
    return {
        "file": os.path.abspath(code.co_filename), "function": code.co_name, "variables": kept,
    }  # fmt: skip
