"""Weights that keep the signal: each layer matched to the activations around it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from gradoctor.errors import GradoctorError
from gradoctor.theory.design import following, planned
from gradoctor.tracing import trace, untouched


@dataclass(frozen=True, slots=True)
class Initialised:
    """What was done with one layer.

    Attributes:
        layer: the module's name.
        activation: what its output goes through next; empty for none.
        deviation: standard deviation of its new weights.
        residual: its output is added to the stream, so it shares unit variance with its likes.
    """

    layer: str
    activation: str
    deviation: float
    residual: bool = False


def initialise(
    model: nn.Module,
    *inputs: Any,
    orthogonal: bool = False,
    generator: torch.Generator | None = None,
    **kwargs: Any,
) -> list[Initialised]:
    """Draw all weights anew so that every pre-activation has unit variance, by theory.

    A batch is run once to find which layers there are, in which order, and which activations,
    norms, sums and pools lie between. Then each weight gets the variance
    ``1 / (fan_in E[x^2])``, where the mean square of the layer's input follows from the
    activation before it by quadrature (``gain``); a layer at the end of one of R residual
    branches gets ``1/R`` of that, so that the stream stays within twice its size. Biases become 0;
    norms and embeddings are left alone.

    Args:
        model: changed in place.
        inputs: what ``model(*inputs, **kwargs)`` takes; it is assumed to have unit mean square.
        orthogonal: (semi-)orthogonal weights instead of Gaussian ones.
        generator: for the draws; PyTorch's own when not given.

    Returns:
        What was done, layer by layer, in the order they run.

    Raises:
        GradoctorError: no layer with a weight ran.
    """
    with untouched(model):
        tracer, _ = trace(model, inputs, kwargs)
    parameters = {id(p): name for name, p in model.named_parameters()}
    plan = planned(tracer.nodes)
    done: list[Initialised] = []
    seen: set[int] = set()
    for node, deviation, residual in plan:
        weight, bias = tracer.weights[node.id]
        if id(weight) not in parameters or id(weight) in seen:
            continue
        seen.add(id(weight))
        _draw(weight, deviation, orthogonal, generator)
        if isinstance(bias, torch.Tensor) and id(bias) in parameters:
            nn.init.zeros_(bias)
        name = node.module or parameters[id(weight)].rpartition(".")[0]
        done.append(Initialised(name, following(tracer.nodes, node), deviation, residual))
    if not done:
        raise GradoctorError(
            "No layer with a weight of its own ran in this model.",
            "Give a model of linear or convolution layers, and a batch that it takes.",
        )
    return done


def _draw(
    weight: torch.Tensor, deviation: float, orthogonal: bool, generator: torch.Generator | None
) -> None:
    if not orthogonal:
        nn.init.normal_(weight, std=deviation, generator=generator)
        return
    nn.init.orthogonal_(weight, generator=generator)
    with torch.no_grad():
        weight.mul_(deviation / weight.square().mean().sqrt())
