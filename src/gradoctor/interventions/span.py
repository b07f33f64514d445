"""The gradient's way through the layers: on the batch, on noise, and on the batch standardised."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gradoctor.interventions._values import mapped
from gradoctor.interventions.snapshot import SEED, Snapshot
from gradoctor.prognosis import Forecast, foresee
from gradoctor.statistics import tensors_in
from gradoctor.tracing import trace


class Span(Snapshot):
    """States ``span``: for ``real``, ``noise`` and ``standardised`` inputs the forecast's figures.

    The noise is N(0, 1); standardised is the batch less its mean over its standard deviation, each
    feature by its own. Where the inputs are ids there is ``real`` alone.
    """

    def before_step(self, optimizer: torch.optim.Optimizer) -> None:
        """The weights are still those that were drawn."""
        if self.at == 0:
            super().after_step(optimizer)

    def examine(self, model: nn.Module) -> None:
        """One forward and backward on each."""
        floats = [t for t in tensors_in((self.args, self.kwargs)) if _is_data(t)]
        found: dict[str, Any] = {"real": self._seen(model, None)}
        if floats:
            generator = torch.Generator().manual_seed(SEED)
            noise = {id(t): torch.randn(t.shape, generator=generator).to(t) for t in floats}
            found["noise"] = self._seen(model, noise)
            found["standardised"] = self._seen(model, {id(t): standardised(t) for t in floats})
            biggest = max(floats, key=torch.Tensor.numel).float()
            found["inputs"] = {"mean": float(biggest.mean()), "std": float(biggest.std())}
        self.stage.state(span={**found, "model": type(model).__name__})

    def _seen(self, model: nn.Module, swaps: dict[int, torch.Tensor] | None) -> dict[str, Any]:
        args, kwargs = self.args, self.kwargs
        if swaps is not None:
            args, kwargs = mapped((args, kwargs), lambda t: swaps.get(id(t), t))
        torch.manual_seed(SEED)
        tracer, out = trace(model, args, kwargs)
        outputs = [t for t in tensors_in(out) if t.requires_grad and t.is_floating_point()]
        torch.autograd.backward(outputs, [torch.randn_like(t) for t in outputs])
        return _figures(foresee(tracer.nodes, type(model).__name__, ""))


def _is_data(tensor: torch.Tensor) -> bool:
    return tensor.is_floating_point() and tensor.dim() >= 2 and not tensor.requires_grad


def standardised(batch: torch.Tensor) -> torch.Tensor:
    """Mean 0 and standard deviation 1: of each feature of ``[N, D]``, of each channel of images."""
    axes = tuple(i for i in range(batch.dim()) if i != (1 if batch.dim() != 3 else 2))
    mean = batch.mean(axes, keepdim=True)
    return (batch - mean) / batch.std(axes, keepdim=True).clamp_min(1e-8)


def _figures(found: Forecast) -> dict[str, Any]:
    return {
        "verdict": found.verdict, "span": found.span, "slope": found.measured,
        "layers": len(found.layers), "codes": [f.code for f in found.faults],
        "signal": [layer.signal for layer in found.layers],
        "gradient": [layer.measured for layer in found.layers],
    }  # fmt: skip
