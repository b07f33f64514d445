"""One kept step again: its batch, weights and random numbers, and every operation watched."""

from __future__ import annotations

import ctypes
import math
import os
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import nn

from gradoctor import capsules
from gradoctor.capture.births import Trace, bad_kind, is_finite, operation
from gradoctor.capture.lines import executed
from gradoctor.capture.packing import from_raw, unpack
from gradoctor.capture.source import caller
from gradoctor.interventions._intervention import Call, Intervention
from gradoctor.interventions.stage import Stage
from gradoctor.statistics import tensors_in

MOST = 20_000
"""Operations of a step that are kept."""


class Replay(Intervention):
    """Puts a capsule's step in the place of the script's first, and watches all operations of it.

    States ``replay``: ``met`` (the model was called), ``operations`` (a list of dicts in order),
    ``born`` (index of the one that made the first bad value, or None), ``where``, ``value``, and
    ``problems`` (what could not be put in place).

    Args:
        capsule: the file.
        variables: set the script's variables too.
    """

    operations = True

    def __init__(self, capsule: str, variables: bool = True) -> None:
        self.meta, self.tensors = capsules.read(Path(capsule))
        self.variables = variables
        self.models: list[nn.Module] = []
        self.calls = 0
        self.rows: list[dict[str, Any]] = []
        self.nodes: list[Any] = []
        self.found: dict[str, Any] = {"met": False, "born": None, "where": "", "value": ""}
        self.problems: list[str] = []
        self.backwards: list[tuple[Any, tuple[Any, ...], tuple[Any, ...]]] = []
        self._scalar: torch.Tensor | None = None
        self._over = False

    def begin(self, stage: Stage) -> None:
        """Wait for the model: what the script trains before it does not count."""
        super().begin(stage)
        stage.steps = 1 << 40

    # ---- putting things in place -------------------------------------------------------------
    def forward(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        """The next call of the kept step, if it is one of its models."""
        self.stage.busy = True
        try:
            return self._placed(module, args, kwargs)
        finally:
            self.stage.busy = False

    def _placed(self, module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
        told = self.meta["calls"]
        if self._over or self.calls >= len(told):
            return args, kwargs
        call = told[self.calls]
        number = call["model"]
        if number < len(self.models):
            if module is not self.models[number]:
                return args, kwargs
        elif not self._fits(module, number):
            return args, kwargs
        else:
            self.models.append(module)
            self._restore(module, number)
        if not self.calls:
            self.found["met"] = True
            self.stage.steps = self.stage.course.steps + 1
            if self.variables:
                self._set_variables()
        self._set_generators(call, self.calls)
        self.calls += 1
        packed, named = call["args"], call["kwargs"]
        return unpack(packed, self.tensors, args), unpack(named, self.tensors, kwargs)

    def _fits(self, module: nn.Module, number: int) -> bool:
        return number == len(self.models) and (
            type(module).__qualname__ == self.meta["models"][number]["class"]
        )

    def _restore(self, module: nn.Module, number: int) -> None:
        """Weights, buffers and plain attributes of a model."""
        held = dict(module.named_parameters()) | dict(module.named_buffers())
        prefix = f"model.{number}."
        kept = {n.removeprefix(prefix): r for n, r in self.tensors.items() if n.startswith(prefix)}
        with torch.no_grad():
            for name, raw in kept.items():
                if name not in held or tuple(held[name].shape) != raw.shape:
                    self.problems.append(f"{name}: the script makes another model now")
                    continue
                held[name].copy_(from_raw(raw))
        modules = dict(module.named_modules())
        for path, values in self.meta["models"][number]["attributes"].items():
            if path in modules:
                held_here = modules[path].__dict__
                held_here.update({k: v for k, v in values.items() if k in held_here})

    def _set_generators(self, call: dict[str, Any], number: int) -> None:
        torch.set_rng_state(from_raw(self.tensors[f"call.{number}.generator"]))
        for device in call["devices"]:
            if torch.cuda.is_available() and device < torch.cuda.device_count():
                state = from_raw(self.tensors[f"call.{number}.cuda.{device}"])
                torch.cuda.set_rng_state(state, device)

    def _set_variables(self) -> None:
        """The script's variables, in the frames that now call the model."""
        kept = {(f["file"], f["function"]): f["variables"] for f in self.meta["frames"]}
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            at = (os.path.abspath(frame.f_code.co_filename), frame.f_code.co_name)
            for name, packed in kept.pop(at, {}).items():
                if name in frame.f_locals:
                    _assign(frame, name, unpack(packed, self.tensors, frame.f_locals[name]))
            frame = frame.f_back

    # ---- watching ----------------------------------------------------------------------------
    def called(self, func: Any, call: Call, out: Any) -> Any:
        """An operation of the step has run."""
        watched = self.found["met"] and not self._over and not self.stage.session.hooks.in_backward
        if watched and len(self.rows) < MOST and not self.stage.session.guard.inside:
            self.stage.busy = True
            try:
                with torch.no_grad():
                    self._note(func, call, out)
            finally:
                self.stage.busy = False
        return out

    def _note(self, func: Any, call: Call, out: Any) -> None:
        made = [t for t in tensors_in(out) if t.is_floating_point()]
        given = [t for t in tensors_in(call) if t.is_floating_point()]
        name = getattr(func, "__name__", str(func))
        if not made or not given or name == "__get__" or any(made[0] is t for t in given):
            return
        file, line = caller(2)
        stack = self.stage.session.hooks.stack
        module = self.stage.session.models.name_of(stack[-1]) if stack else ""
        self.rows.append({
            "op": name.strip("_"), "file": file, "line": line, "module": module,
            "dtype": str(made[0].dtype).removeprefix("torch."), "shape": list(made[0].shape),
            "given": span(given), "made": span(made),
        })  # fmt: skip
        self.nodes.append(made[0].grad_fn)
        if made[0].numel() == 1 and made[0].grad_fn is not None:
            self._scalar = made[0]

    def before_backward(self, roots: list[torch.Tensor]) -> None:
        """The forward is over: was something born in it?"""
        if self.found["met"] and not self._over:
            self._look_back(roots)

    def _look_back(self, roots: list[torch.Tensor]) -> None:
        self._scalar = None
        self.stage.busy = True
        try:
            self._judge_forward([r for r in roots if isinstance(r, torch.Tensor)])
        finally:
            self.stage.busy = False

    def _judge_forward(self, roots: list[torch.Tensor]) -> None:
        bad = next((r for r in roots if not is_finite(r)), None)
        if bad is not None:
            self._over = True
            self.found |= {"where": "forward", "value": bad_kind(bad), "born": self._forward(bad)}
            return
        for root in roots:
            for node in executed(root.grad_fn) if root.grad_fn is not None else ():
                node.register_hook(
                    lambda left, came, node=node: self.backwards.append((node, came, left))
                )

    def _forward(self, root: torch.Tensor) -> int | None:
        """The operation that made the root's first bad value: by the graph, else by order."""
        birth = Trace(root).birth() if root.grad_fn is not None else None
        born = [
            i for i, row in enumerate(self.rows) if row["made"]["bad"] and not row["given"]["bad"]
        ]
        if birth is not None:
            exact = [i for i, node in enumerate(self.nodes) if node is birth.node]
            before = [i for i in born if not exact or i <= exact[0]]
            return exact[0] if exact and not before else next(reversed(before or born), None)
        return born[0] if born else None

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """The backward is over: was something born in it?"""
        if self.found["met"] and not self._over:
            self._judge_backward()

    def _judge_backward(self) -> None:
        self._over = True
        for node, came, left in self.backwards:
            out = [t for t in left if isinstance(t, torch.Tensor)]
            if all(map(is_finite, out)):
                continue
            given = [t for t in came if isinstance(t, torch.Tensor)]
            bad = next(t for t in out if not is_finite(t))
            self.found |= {"where": "backward", "value": bad_kind(bad)}
            at = next((i for i, n in enumerate(self.nodes) if n is node), None)
            self.found |= {"born": at, "derivative": {
                "op": operation(node), "given": span(given), "made": span(out),
            }}  # fmt: skip
            return

    def end(self) -> None:
        """Tell what was seen; a script may give up before its backward."""
        if self.found["met"] and not self._over and self._scalar is not None:
            self._look_back([self._scalar])
        if self.found["met"] and not self._over:
            self._judge_backward()
        self.stage.state(replay={**self.found, "operations": self.rows, "problems": self.problems})


def span(tensors: list[torch.Tensor]) -> dict[str, Any]:
    """Smallest and largest finite element of several tensors, and how many are not finite."""
    low, high, bad = math.inf, -math.inf, {"nan": 0, "inf": 0}
    for x in (t.detach() for t in tensors):
        if not x.is_floating_point() or not x.numel():
            continue
        finite = torch.isfinite(x)
        nan = int(torch.isnan(x).sum())
        bad["nan"] += nan
        bad["inf"] += int((~finite).sum()) - nan
        if bool(finite.any()):
            kept = x[finite]
            low, high = min(low, float(kept.min())), max(high, float(kept.max()))
    some = low <= high
    return {
        "low": low if some else None, "high": high if some else None,
        "bad": bad["nan"] + bad["inf"], **bad,
    }  # fmt: skip


def _assign(frame: FrameType, name: str, value: Any) -> None:
    """Set a variable of a frame that is running."""
    if frame.f_locals is frame.f_globals:
        frame.f_globals[name] = value
        return
    frame.f_locals[name] = value
    if sys.version_info < (3, 13):  # there the mapping is a copy that has to be written back
        ctypes.pythonapi.PyFrame_LocalsToFast(ctypes.py_object(frame), ctypes.c_int(0))
