"""Which rule of theory an operation follows, read from the call."""

from __future__ import annotations

import inspect
import math
from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from gradoctor.theory.signal import Normalised, Reshape, Rule, Scale, Weights
from gradoctor.tracing.moments import precise, spread_of

Call = dict[str, Any]
"""Arguments of a call by name."""


def _functions(*names: str) -> frozenset[Any]:
    homes = (torch, F, torch.Tensor)
    found = {getattr(home, n, None) for home in homes for n in names}
    return frozenset(f for f in found if f is not None)


LINEAR = frozenset({F.linear})
CONVOLUTION = _functions("conv1d", "conv2d", "conv3d")
PRODUCT = _functions("matmul", "mm", "__matmul__", "addmm")
ADD = _functions("add", "add_", "__add__", "__iadd__", "__radd__", "sub", "sub_", "__sub__",
                 "__isub__", "__rsub__")  # fmt: skip
MULTIPLY = _functions("mul", "mul_", "__mul__", "__imul__", "__rmul__", "multiply")
DROPOUT = _functions("dropout", "dropout1d", "dropout2d", "dropout3d", "alpha_dropout")
RESHAPE = _functions(
    "reshape", "view", "flatten", "unflatten", "transpose", "permute", "squeeze", "unsqueeze",
    "contiguous", "movedim", "chunk", "split", "unbind", "__getitem__", "expand", "clone", "t",
    "swapaxes", "to", "float", "double", "swapdims", "narrow", "select",
)  # fmt: skip
NORMS: dict[Any, str] = {F.batch_norm: "batch", F.layer_norm: "features", F.group_norm: "features"}
if hasattr(F, "rms_norm"):
    NORMS[F.rms_norm] = "rms"

_SIGNATURES: dict[Any, tuple[str, ...]] = {
    **dict.fromkeys(
        CONVOLUTION, ("input", "weight", "bias", "stride", "padding", "dilation", "groups")
    ),
    F.linear: ("input", "weight", "bias"),
}


def named(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """The arguments by name, defaults filled in where the function tells them."""
    names = _SIGNATURES.get(func)
    if names is None:
        try:
            bound = inspect.signature(func).bind(*args, **kwargs)
        except (TypeError, ValueError):
            return {**{str(i): a for i, a in enumerate(args)}, **kwargs}
        bound.apply_defaults()
        return dict(bound.arguments)
    return {**dict(zip(names, args, strict=False)), **kwargs}


def weight_of(func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, Any]:
    """Weight and bias of a layer's call."""
    if func in PRODUCT:
        return (args[-1] if args else None), (args[0] if len(args) == 3 else None)
    call = named(func, args, kwargs)
    return call["weight"], call.get("bias")


def of_layer(func: Any, call: Call, out: torch.Tensor) -> Rule | None:
    """The rule of a linear layer, a convolution or a norm; None when it has none."""
    x, weight = call["input"], call.get("weight")
    if func in NORMS:
        return normalised(func, call, x)
    assert isinstance(weight, torch.Tensor)
    if func in LINEAR:
        return weights(weight, call.get("bias"), weight.shape[1], weight.shape[0])
    return convolution(call, out) if x.dim() == weight.dim() else None


def weights(weight: torch.Tensor, bias: Any, fan_in: float, fan_out: float) -> Weights:
    """The rule of a weight; its fans are counted by whoever knows the operation."""
    values = precise(weight)
    mean, square = spread_of(values)
    held = bias if isinstance(bias, torch.Tensor) else None
    return Weights(mean, max(square - mean**2, 0.0), fan_in, fan_out, *spread_of(held))


def convolution(call: Call, out: torch.Tensor) -> Weights:
    """The rule of a convolution; padding is counted, so that small images are right too."""
    weight, image = call["weight"], call["input"]
    groups = int(call.get("groups") or 1)
    taps = 1
    for d in range(weight.dim() - 2):
        taps *= _taps(
            image.shape[2 + d], out.shape[2 + d], weight.shape[2 + d],
            _of(call.get("stride", 1), d), _padding(call, d, weight),
            _of(call.get("dilation", 1), d),
        )  # fmt: skip
    places_in, places_out = math.prod(image.shape[2:]), math.prod(out.shape[2:])
    return weights(
        weight,
        call.get("bias"),
        weight.shape[1] * taps / places_out,
        weight.shape[0] / groups * taps / places_in,
    )


def _of(value: Any, dim: int) -> int:
    return int(value[dim] if isinstance(value, tuple | list) and len(value) > dim else
               value[0] if isinstance(value, tuple | list) else value)  # fmt: skip


def _padding(call: Call, dim: int, weight: torch.Tensor) -> int:
    padding = call.get("padding", 0)
    if isinstance(padding, str):
        return (weight.shape[2 + dim] - 1) // 2 if padding == "same" else 0
    return _of(padding, dim)


def _taps(size: int, outputs: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """Pairs of an output position and a kernel element that fall inside the image."""
    return sum(
        0 <= o * stride - padding + k * dilation < size
        for o in range(outputs)
        for k in range(kernel)
    )


def normalised(func: Any, call: Call, x: torch.Tensor) -> Rule | None:
    """The rule of a norm; None in eval mode of a batch norm without statistics to read."""
    weight, bias = call.get("weight"), call.get("bias")
    gain = spread_of(weight)[1] if isinstance(weight, torch.Tensor) else 1.0
    shift = spread_of(bias if isinstance(bias, torch.Tensor) else None)
    epsilon = float(call.get("eps") or 1e-5)
    if func is F.batch_norm:
        if not call.get("training"):
            variance = call.get("running_var")
            if variance is None:
                return None
            gains = torch.ones_like(variance) if weight is None else weight.detach()
            return Scale(float((precise(gains).square() / (variance + epsilon)).mean()))
        count = x.numel() / x.shape[1]
        return Normalised("batch", count, gain, *shift, epsilon)
    shape = call.get("normalized_shape")
    count = math.prod(shape) if shape is not None else _group(x, call)
    over = NORMS[func]
    uneven = unevenness(x.reshape(-1, count), over != "rms", epsilon)
    return Normalised(over, count, gain, *shift, epsilon, uneven)


def _group(x: torch.Tensor, call: Call) -> int:
    return x[0].numel() // int(call.get("num_groups") or 1)


def unevenness(rows: torch.Tensor, centred: bool, epsilon: float) -> float:
    """How uneven the variances of some rows are: mean(1/v) mean(v)."""
    values = precise(rows)
    squares = values.var(dim=1, unbiased=False) if centred else values.square().mean(dim=1)
    squares = squares + epsilon
    return float((1 / squares).mean() * squares.mean())


def of_one(func: Any, call: Call, x: torch.Tensor, out: torch.Tensor) -> Rule:
    """Dropout, where it is active, or another arrangement of the same elements."""
    rate = float(call.get("p", 0.5)) if func in DROPOUT and call.get("training", True) else 0.0
    if 0 < rate < 1:
        return Scale(1 / (1 - rate), random=True)
    return Reshape(out.numel() / max(x.numel(), 1))
