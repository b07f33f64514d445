"""Which inputs an output sees: one position is changed, and the outputs are compared."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gradoctor.capture.losses import LOSSES
from gradoctor.interventions._intervention import Call
from gradoctor.interventions._values import mapped
from gradoctor.interventions.snapshot import SEED, Snapshot
from gradoctor.statistics import tensors_in

_POSITIONS = 6
_CLEAR = 1e-5  # of the rms of the outputs
_CLEAR_HALF = 2e-2  # the same in half precision
_ALIKE = 0.9  # share of targets that are the next input


class Causal(Snapshot):
    """Changes the input at single positions, in eval mode, and looks where the output changes.

    States ``causal``: ``axes``, for each of the two first axes that input and output share its
    ``axis``, ``size`` and ``tries`` (``[position, first changed, last changed]`` outputs);
    ``objective``: ``[axis, share of the targets that are the next input along it]`` of the axis
    where that share is the greatest; ``module``, ``file``, ``line``: the first whose output before
    the position changed although what it was given there did not (along that axis, or the second).
    """

    def __init__(self, at: int = 0, stop: bool = True) -> None:
        super().__init__(at, stop)
        self._targets: list[torch.Tensor] = []

    def called(self, func: Any, call: Call, out: Any) -> Any:
        """Hold the targets of loss functions."""
        if func in LOSSES and self.model is not None:
            args, kwargs = call
            target = args[1] if len(args) > 1 else kwargs.get("target")
            if isinstance(target, torch.Tensor):
                self._targets.append(target.detach().clone())
        return super().called(func, call, out)

    def examine(self, model: nn.Module) -> None:
        """Change positions along the first two axes."""
        model.eval()
        inputs = next((t for t in tensors_in((self.args, self.kwargs)) if t.dim() >= 2), None)
        found: dict[str, Any] = {"axes": [], "model": type(model).__name__, "objective": None}
        if inputs is None:
            self.stage.state(causal=found)
            return
        base = self._run(model, inputs, inputs)
        shown = _laid_out(base, inputs)
        found |= {
            "inputs": list(inputs.shape),
            "outputs": [list(t.shape) for t in tensors_in(base)],
        }
        if shown is not None:
            found["axes"] = [
                {"axis": axis, "size": inputs.shape[axis],
                 "tries": self._tries(model, inputs, shown, axis)}
                for axis in (0, 1) if inputs.shape[axis] > 2
            ]  # fmt: skip
        found["objective"] = objective = self._objective(inputs)
        found |= self._place(model, inputs, found["axes"], objective)
        self.stage.state(causal=found)

    def _run(self, model: nn.Module, old: torch.Tensor, new: torch.Tensor) -> Any:
        torch.manual_seed(SEED)
        args, kwargs = mapped((self.args, self.kwargs), lambda t: new if t is old else t)
        with torch.no_grad():
            return model(*args, **kwargs)

    def _tries(
        self, model: nn.Module, inputs: torch.Tensor, base: torch.Tensor, axis: int
    ) -> list[list[int]]:
        size = inputs.shape[axis]
        rows = []
        for position in sorted({round(i * (size - 1) / _POSITIONS) for i in range(_POSITIONS + 1)}):
            other = _changed(inputs, axis, position)
            after = _laid_out(self._run(model, inputs, other), inputs)
            if torch.equal(other, inputs) or after is None:
                continue
            touched = _touched(base, after, axis)
            rows.append([position, *((min(touched), max(touched)) if touched else (-1, -1))])
        return rows

    def _objective(self, inputs: torch.Tensor) -> list[float] | None:
        """The axis along which the targets are the next inputs, and for what share they are."""
        shares = [
            (_next_share(inputs, target, axis), axis) for target in self._targets for axis in (1, 0)
        ]
        best = max(shares, default=(0.0, 1), key=lambda s: s[0])
        return [float(best[1]), best[0]] if best[0] >= _ALIKE else None

    def _place(
        self, model: nn.Module, inputs: torch.Tensor, axes: list[Any], objective: list[float] | None
    ) -> dict[str, Any]:
        """The first module that lets an earlier output see a later input."""
        axis = int(objective[0]) if objective else 1
        known = next((a for a in axes if a["axis"] == axis), None)
        tries = [t for t in known["tries"] if 0 <= t[1] < t[0]] if known else []
        if not tries:
            return {}
        position = tries[len(tries) // 2][0]
        before = self._outputs(model, inputs, inputs)
        after = self._outputs(model, inputs, _changed(inputs, axis, position))

        def early(one: torch.Tensor, other: torch.Tensor) -> bool:
            known = one.dim() > axis and one.shape[axis] == inputs.shape[axis]
            touched = _touched(one, other, axis) if known else []
            return bool(touched) and min(touched) < position

        for (module, given, one), (_, changed, other) in zip(before, after, strict=False):
            if early(one, other) and not any(map(early, given, changed)):
                names = {m: name for name, m in model.named_modules()}
                file, line = self.stage.session.places.of(module)
                return {"module": names[module] or type(module).__name__, "file": file,
                        "line": line, "class": type(module).__name__}  # fmt: skip
        return {}

    def _outputs(
        self, model: nn.Module, old: torch.Tensor, new: torch.Tensor
    ) -> list[tuple[nn.Module, list[torch.Tensor], torch.Tensor]]:
        """What each module is given, and the first float tensor it gives, in the order they end."""
        seen: list[tuple[nn.Module, list[torch.Tensor], torch.Tensor]] = []

        def hold(module: nn.Module, args: Any, kwargs: Any, out: Any) -> None:
            tensor = next((t for t in tensors_in(out) if t.is_floating_point()), None)
            if tensor is not None:
                given = [t.detach().clone() for t in tensors_in((args, kwargs))]
                seen.append((module, given, tensor.detach().clone()))

        handles = [m.register_forward_hook(hold, with_kwargs=True) for m in model.modules()]
        try:
            self._run(model, old, new)
        finally:
            for handle in handles:
                handle.remove()
        return seen


def _laid_out(out: Any, inputs: torch.Tensor) -> torch.Tensor | None:
    """The first output that has the input's first two axes, flattened or not."""
    first, second = inputs.shape[:2]
    for tensor in tensors_in(out):
        if not tensor.is_floating_point():
            continue
        if tensor.dim() >= 2 and tuple(tensor.shape[:2]) == (first, second):
            return tensor.detach()
        if tensor.dim() == 2 and tensor.shape[0] == first * second:
            return tensor.detach().reshape(first, second, -1)
    return None


def _changed(inputs: torch.Tensor, axis: int, position: int) -> torch.Tensor:
    """Other ids of the same batch, or other numbers of the same size, at one position."""
    other = inputs.clone()
    part = other.select(axis, position)
    if inputs.is_floating_point():
        generator = torch.Generator().manual_seed(SEED)
        noise = torch.randn(part.shape, generator=generator).to(part)
        part += noise * inputs.std().clamp_min(1e-6)
    elif inputs.dtype != torch.bool:
        known, which = torch.unique(inputs, return_inverse=True)
        part.copy_(known[(which.select(axis, position) + 1) % len(known)])
    return other


def _touched(one: torch.Tensor, other: torch.Tensor, axis: int) -> list[int]:
    """The positions along an axis where two outputs differ."""
    limit = _CLEAR if one.dtype in (torch.float32, torch.float64) else _CLEAR_HALF
    a, b = one.double(), other.double()
    apart = (a - b).abs().movedim(axis, 0).reshape(a.shape[axis], -1).amax(1)
    return [int(i) for i in (apart > limit * a.square().mean().sqrt()).nonzero().flatten()]


def _next_share(inputs: torch.Tensor, target: torch.Tensor, axis: int) -> float:
    """Share of the targets that are the input one position later along an axis."""
    size, rest = inputs.shape[axis], inputs.numel() // inputs.shape[axis]
    shown = inputs.movedim(axis, 0).reshape(size, rest)
    for length in (size, size - 1):
        shape = list(inputs.shape)
        shape[axis] = length
        if target.numel() == length * rest and length > 1:
            given = target.reshape(shape).movedim(axis, 0).reshape(length, rest)
            ahead = shown[1:].to(given.dtype)
            given = given[: size - 1]
            if bool((ahead == ahead.flatten()[0]).all()):
                return 0.0
            return float(torch.isclose(given, ahead).float().mean())
    return 0.0
