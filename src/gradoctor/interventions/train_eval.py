"""The same batch in train and in eval mode."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import nn

from gradoctor.interventions.dropout import Undropped, quiet
from gradoctor.interventions.snapshot import SEED, Snapshot
from gradoctor.statistics import tensors_in

_MOST = 48  # norms that are tried one by one


class TrainEval(Snapshot):
    """Compares outputs and loss in the script's own mode, dropout off, with those in eval mode.

    States ``train_eval``: ``loss_train``, ``loss_eval`` (None where the loss cannot be computed
    again), ``outputs`` (rms of the difference over the rms of the outputs in train mode), ``same``
    (to the last bit), ``agree`` (share of rows with the same largest output), ``steps``,
    ``forwards``, and ``norms``: for each norm with running statistics what it does alone.
    """

    def examine(self, model: nn.Module) -> None:
        """Run it in either mode, and with each norm alone in eval mode."""
        script = {module: module.training for module in model.modules()}
        norms = {m: name for name, m in model.named_modules() if _keeps_statistics(m)}

        def train(module: nn.Module) -> bool:
            return script[module] and not quiet(module)

        base = self._run(model, train)
        rest = self._run(model, lambda module: False)
        rows = []
        for norm in [m for m in norms if script[m]][:_MOST]:
            alone = self._run(model, partial(_all_but, train, norm))
            tracked = getattr(norm, "num_batches_tracked", None)
            place = self.stage.session.places.of(norm)
            rows.append({
                "name": norms[norm], "class": type(norm).__name__, "loss": self._loss(alone),
                "outputs": _distance(base, alone), "momentum": getattr(norm, "momentum", None),
                "batches": None if tracked is None else int(tracked), "file": place[0],
                "line": place[1],
            })  # fmt: skip
        self.stage.state(train_eval={
            "loss_train": self._loss(base), "loss_eval": self._loss(rest),
            "outputs": _distance(base, rest), "same": _same(base, rest),
            "agree": _agreement(base, rest), "steps": self.stage.course.steps,
            "forwards": self.forwards, "model": type(model).__name__, "norms": rows,
            "trains": any(script.values()),
        })  # fmt: skip

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


def _all_but(training: Callable[[nn.Module], bool], one: nn.Module, module: nn.Module) -> bool:
    return training(module) and module is not one


def _keeps_statistics(module: nn.Module) -> bool:
    return isinstance(module, nn.modules.batchnorm._NormBase) and bool(module.track_running_stats)


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
