"""One forward and backward of a model, and what theory says of it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from gradoctor.capture.places import NOWHERE, Place, Places
from gradoctor.errors import GradoctorError
from gradoctor.forecast.inputs import SEED, described, moved
from gradoctor.forecast.recurrent import Listening, remembering
from gradoctor.nn.initialisation import initialise
from gradoctor.prognosis import Cure, Forecast, Recurrence, foresee, judged
from gradoctor.statistics import tensors_in
from gradoctor.tracing import Tracer, trace, untouched

Loss = Callable[[Any], torch.Tensor]


def examine(
    model: nn.Module,
    args: tuple[Any, ...] = (),
    kwargs: dict[str, Any] | None = None,
    *,
    loss: Loss | None = None,
    kind: str = "real",
    places: Places | None = None,
) -> Forecast:
    """The forecast of a model on one batch.

    The model is left as it was: parameters, buffers, gradients and random numbers.

    Args:
        args, kwargs: what the model is called with.
        loss: makes a scalar of the model's output; noise is sent back when there is none, which
            has the same slope.
        kind: ``real`` or ``noise``, for the reader.
        places: knows the lines that made the modules.

    Raises:
        GradoctorError: the output has no gradient.
    """
    kwargs = kwargs or {}
    args, kwargs = moved(model, args, kwargs)
    listening = Listening()
    with listening.to(model):
        tracer = _backward(model, args, kwargs, loss)
    said = f"{kind} {described(args, kwargs)}"
    found = foresee(tracer.nodes, type(model).__name__, said)
    if heard := listening.recurrences():
        found = replace(found, recurrences=_remembered(model, args, kwargs, loss, heard))
        found = replace(found, faults=judged(found))
    if any(cure.name == "initialise" for cure in found.cures):
        found = replace(found, cures=_tried(model, args, kwargs, loss, found))
    return _placed(found, model, places) if places is not None else found


def _backward(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], loss: Loss | None
) -> Tracer:
    with untouched(model):
        torch.manual_seed(SEED)  # of the fork: the same noise every time
        tracer, out = trace(model, args, kwargs)
        outputs = [t for t in tensors_in(out) if t.requires_grad and t.is_floating_point()]
        if not outputs:
            raise GradoctorError(
                f"The output of {type(model).__name__} has no gradient.",
                "Check that its parameters require one, and that forward() does not detach.",
            )
        if loss is not None:
            loss(out).backward()  # type: ignore[no-untyped-call]
        else:
            torch.autograd.backward(outputs, [torch.randn_like(t) for t in outputs])
    return tracer


def _tried(model: nn.Module, args: Any, kwargs: Any, loss: Loss | None,
           found: Forecast) -> tuple[Cure, ...]:  # fmt: skip
    """The cures, the one that can be tried on a copy of the model measured too."""
    try:
        twin = copy.deepcopy(model)
        with untouched(twin):  # its draws are nobody else's
            initialise(twin, *args, **kwargs)
    except Exception:  # not every model can be copied, or has weights of its own
        return found.cures
    after = foresee(_backward(twin, args, kwargs, loss).nodes, found.model, found.inputs)
    return tuple(
        replace(cure, measured=after.measured) if cure.name == "initialise" else cure
        for cure in found.cures
    )


def _remembered(model: nn.Module, args: Any, kwargs: Any, loss: Loss | None,
                heard: tuple[Recurrence, ...]) -> tuple[Recurrence, ...]:  # fmt: skip
    """With the slope of a twin that was drawn to remember."""
    again = Listening()
    try:
        with torch.random.fork_rng(devices=[]):
            twin = remembering(model)
        with again.to(twin):
            _backward(twin, args, kwargs, loss)
    except Exception:  # not every model can be copied
        return heard
    slopes = {after.name: after.slope for after in again.recurrences()}
    return tuple(
        replace(layer, mended=slopes.get(layer.name)) if layer.kind != "GRU" else layer
        for layer in heard
    )


def _placed(found: Forecast, model: nn.Module, places: Places) -> Forecast:
    """With the line that made each layer, or the nearest module around it (copies have none)."""
    known = dict(model.named_modules())

    def place(name: str) -> Place:
        while name and (name not in known or places.of(known[name]) == NOWHERE):
            name = name.rpartition(".")[0]
        return places.of(known[name])

    layers = ((layer, *place(layer.name)) for layer in found.layers)
    return replace(
        found, layers=tuple(replace(layer, file=file, line=line) for layer, file, line in layers)
    )
