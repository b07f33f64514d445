"""What a model is fed with when the user gives nothing, and what it was fed in words."""

from __future__ import annotations

import inspect
import math
from typing import Any

import torch
from torch import nn

from gradoctor.errors import GradoctorError
from gradoctor.tracing import untouched

SEED = 20240229
BATCH = 64
IMAGES = (32, 28, 64, 224)
LENGTHS = (32, 128)


def moved(model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The inputs on the model's device."""
    device = next((p.device for p in model.parameters()), torch.device("cpu"))

    def to(value: Any) -> Any:
        return value.to(device) if isinstance(value, torch.Tensor) else value

    return tuple(to(a) for a in args), {k: to(v) for k, v in kwargs.items()}


def described(args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """The shapes of the tensors."""
    shapes = [str(list(v.shape)) for v in (*args, *kwargs.values()) if isinstance(v, torch.Tensor)]
    return ", ".join(shapes)


def parsed(text: str, model: nn.Module) -> torch.Tensor:
    """Noise for what the user wrote: ``32,3,64,64``, or ``64,16:long`` for ids.

    Raises:
        GradoctorError: it is no shape.
    """
    sizes, _, dtype = text.partition(":")
    try:
        shape = tuple(int(part) for part in sizes.replace("x", ",").split(","))
        if min(shape) < 1 or dtype not in ("", "float", "long"):
            raise ValueError
    except ValueError:
        raise GradoctorError(
            f"{text!r} is no shape.", "Write it as 32,3,64,64, or as 64,16:long for ids."
        ) from None
    return noise(shape, model, ids=dtype == "long")


def noise(shape: tuple[int, ...], model: nn.Module, *, ids: bool) -> torch.Tensor:
    """Gaussian noise of a shape, or ids that the model's first embedding has."""
    generator = torch.Generator().manual_seed(SEED)
    if ids:
        sizes = [m.num_embeddings for m in model.modules() if isinstance(m, nn.Embedding)]
        return torch.randint(0, sizes[0] if sizes else 2, shape, generator=generator)
    floating = next((p.dtype for p in model.parameters() if p.is_floating_point()), torch.float32)
    return torch.randn(shape, generator=generator).to(floating)


def guessed(model: nn.Module) -> torch.Tensor:
    """Noise that the model takes, by its first layer.

    Raises:
        GradoctorError: it takes none of the shapes that were tried.
    """
    fault: Exception | None = None
    first = _first(model)
    for shape in _shapes(first):
        x = noise(shape, model, ids=isinstance(first, nn.Embedding))
        try:
            with untouched(model), torch.no_grad():
                model(*moved(model, (x,), {})[0])
        except Exception as error:
            fault = fault or error
            continue
        return x
    wanted = str(inspect.signature(model.forward))
    why = f" ({type(fault).__name__}: {str(fault).splitlines()[0][:120]})" if fault else ""
    raise GradoctorError(
        f"No input could be guessed for {type(model).__name__}.forward{wanted}{why}.",
        "Say what to pass: --input 32,3,64,64 (64,16:long for ids; once for each argument), or "
        "return (model, inputs) from the factory.",
    )


def _first(model: nn.Module) -> nn.Module | None:
    """The first module, in the order they were registered, that says what it takes."""
    kinds = (nn.Linear, nn.modules.conv._ConvNd, nn.Embedding, nn.RNNBase, nn.TransformerEncoder)
    return next((m for m in model.modules() if isinstance(m, kinds)), None)


def _shapes(first: Any) -> list[tuple[int, ...]]:
    """Shapes that a first layer may be fed with, the likeliest first."""
    shapes: list[tuple[int, ...]] = []
    if isinstance(first, nn.Conv2d):
        shapes = [(BATCH // 4, first.in_channels, s, s) for s in IMAGES]
    elif isinstance(first, nn.Conv1d):
        shapes = [(BATCH, first.in_channels, s) for s in LENGTHS]
    elif isinstance(first, nn.Conv3d):
        shapes = [(8, first.in_channels, s, s, s) for s in (16, 32)]
    elif isinstance(first, nn.Embedding):
        shapes = [(BATCH, 16), (BATCH,), (BATCH, 8), (BATCH, 32)]
    elif isinstance(first, nn.RNNBase):
        shapes = [(BATCH, 16, first.input_size)]
    elif isinstance(first, nn.Linear):
        shapes = [(BATCH, first.in_features), (BATCH, 16, first.in_features)]
        for channels in (1, 3):  # a flattened square image
            side = math.isqrt(first.in_features // channels)
            if channels * side**2 == first.in_features:
                shapes.append((BATCH, channels, side, side))
    return shapes
