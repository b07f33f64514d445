"""The same batch in train and in eval mode."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from gradoctor.interventions.dropout import Undropped, quiet
from gradoctor.interventions.snapshot import SEED, Snapshot
from gradoctor.statistics import tensors_in


class TrainEval(Snapshot):
    """Compares outputs and loss in the script's own mode, dropout off, with those in eval mode.

    States ``train_eval``: ``loss_train``, ``loss_eval`` (None where the loss cannot be computed
    again), ``outputs`` (rms of the difference over the rms of the outputs in train mode), ``same``
    (to the last bit), ``agree`` (share of rows with the same largest output), ``steps``,
    ``forwards``, and ``norms``, in the order they ran: for each norm with running statistics how
    far these are from the batch's (``shift`` in standard deviations, ``scale`` in bits).
    """

    def examine(self, model: nn.Module) -> None:
        """Run it in either mode, and hold running statistics against those of the batch."""
        script = {module: module.training for module in model.modules()}
        norms = {m: name for name, m in model.named_modules() if _keeps_statistics(m)}
        gaps: dict[nn.Module, tuple[float, float]] = {}

        def look(module: nn.Module, args: Any) -> None:
            gaps[module] = statistics_gap(module, args[0])

        handles = [m.register_forward_pre_hook(look) for m in norms if script[m]]
        try:
            base = self._run(model, lambda module: script[module] and not quiet(module))
        finally:
            for handle in handles:
                handle.remove()
        rest = self._run(model, lambda module: False)
        self.stage.state(train_eval={
            "loss_train": self._loss(base), "loss_eval": self._loss(rest),
            "outputs": _distance(base, rest), "same": _same(base, rest),
            "agree": _agreement(base, rest), "steps": self.stage.course.steps,
            "forwards": self.forwards, "model": type(model).__name__,
            "norms": [self._row(m, norms[m], *gap) for m, gap in gaps.items()],
            "trains": any(script.values()),
        })  # fmt: skip

    def _row(self, norm: nn.Module, name: str, shift: float, scale: float) -> dict[str, Any]:
        tracked = getattr(norm, "num_batches_tracked", None)
        file, line = self.stage.session.places.of(norm)
        return {
            "name": name, "class": type(norm).__name__, "shift": shift, "scale": scale,
            "momentum": getattr(norm, "momentum", None),
            "batches": None if tracked is None else int(tracked), "file": file, "line": line,
        }  # fmt: skip

    def _run(self, model: nn.Module, training: Callable[[nn.Module], bool]) -> Any:
        for module in model.modules():
            module.training = training(module)
        buffers = [b.clone() for b in model.buffers()]
        torch.manual_seed(SEED)
        with torch.no_grad(), Undropped():
            out = model(*self.args, **self.kwargs)
        with torch.no_grad():
            for buffer, was in zip(model.buffers(), buffers, strict=True):
                buffer.copy_(was)
        return out

    def _loss(self, out: Any) -> float | None:
        if self.tape is None or self.forwards != 1:
            return None
        value = self.tape.loss(self.out, out)
        return value if math.isfinite(value) else None


def _keeps_statistics(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._NormBase) and bool(module.track_running_stats)


def statistics_gap(norm: Any, batch: torch.Tensor) -> tuple[float, float]:
    """How far running statistics are from a batch's.

    Returns:
        The median over the features of the distance of the means in standard deviations of the
        batch, and of the distance of the variances in bits (running over batch).
    """
    values = batch.detach().double().movedim(1, 0).flatten(1)
    mean, var = values.mean(1), values.var(1, unbiased=False).clamp_min(1e-12)
    shift = (norm.running_mean.double() - mean).abs() / var.sqrt()
    scale = torch.log2(norm.running_var.double().clamp_min(1e-12) / var)
    return float(shift.median()), float(scale.median())


def _floats(out: Any) -> list[torch.Tensor]:
    return [t.detach().float() for t in tensors_in(out) if t.is_floating_point()]


def _distance(one: Any, other: Any) -> float:
    a, b = _floats(one), _floats(other)
    size = sum(float(t.square().sum()) for t in a)
    apart = sum(float((s - t).square().sum()) for s, t in zip(a, b, strict=True))
    return math.sqrt(apart / size) if size > 0 else float(apart > 0)


def _same(one: Any, other: Any) -> bool:
    return all(torch.equal(a, b) for a, b in zip(_floats(one), _floats(other), strict=True))


def _agreement(one: Any, other: Any) -> float | None:
    """Share of the rows of the first output whose largest element is the same."""
    a, b = _floats(one)[:1], _floats(other)[:1]
    if not a or a[0].dim() < 2 or a[0].shape[-1] < 2:
        return None
    return float((a[0].argmax(-1) == b[0].argmax(-1)).float().mean())
