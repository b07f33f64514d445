"""What part a module plays: its role, its activation, and whether it is watched as one piece."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from gradoctor import statistics as kernels

_ACTIVATIONS: dict[type[nn.Module], str] = {
    nn.ReLU: "relu", nn.ReLU6: "relu6", nn.LeakyReLU: "leaky_relu", nn.PReLU: "prelu",
    nn.RReLU: "rrelu", nn.ELU: "elu", nn.SELU: "selu", nn.CELU: "celu", nn.GELU: "gelu",
    nn.SiLU: "silu", nn.Mish: "mish", nn.Softplus: "softplus", nn.Softsign: "softsign",
    nn.Sigmoid: "sigmoid", nn.LogSigmoid: "logsigmoid", nn.Tanh: "tanh",
    nn.Hardtanh: "hardtanh", nn.Hardsigmoid: "hardsigmoid", nn.Hardswish: "hardswish",
    nn.Softmax: "softmax", nn.LogSoftmax: "log_softmax", nn.GLU: "glu", nn.Tanhshrink: "tanhshrink",
    nn.Hardshrink: "hardshrink", nn.Softshrink: "softshrink", nn.Threshold: "threshold",
}  # fmt: skip

FUNCTIONAL: dict[Any, str] = {
    function: name
    for name, functions in {
        "relu": ("relu", "relu_"), "leaky_relu": ("leaky_relu", "leaky_relu_"),
        "elu": ("elu", "elu_"), "selu": ("selu", "selu_"), "celu": ("celu", "celu_"),
        "gelu": ("gelu",), "silu": ("silu",), "mish": ("mish",), "softplus": ("softplus",),
        "softsign": ("softsign",), "sigmoid": ("sigmoid", "sigmoid_"), "tanh": ("tanh", "tanh_"),
        "logsigmoid": ("logsigmoid",), "hardtanh": ("hardtanh", "hardtanh_"),
        "softmax": ("softmax",), "log_softmax": ("log_softmax",), "relu6": ("relu6",),
        "hardswish": ("hardswish",), "hardsigmoid": ("hardsigmoid",), "prelu": ("prelu",),
    }.items()
    for home in (torch, torch.nn.functional, torch.Tensor)
    for key in functions
    if (function := getattr(home, key, None)) is not None
}  # fmt: skip
"""Functional activations by the callable that a TorchFunctionMode sees."""

RELU_LIKE = frozenset({"relu", "relu6", "threshold"})
SATURATING = frozenset({"tanh", "sigmoid"})
UNBOUNDED = frozenset(
    {"relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "celu", "gelu", "silu", "mish",
     "hardswish"}
)  # fmt: skip
"""Hidden activations whose units can all but fall silent."""

_OPAQUE = (nn.MultiheadAttention, nn.RNNBase, nn.RNNCellBase)
_ROLES: tuple[tuple[tuple[type[nn.Module], ...], str], ...] = (
    ((nn.Linear, nn.Bilinear), "matmul"),
    ((nn.modules.conv._ConvNd,), "conv"),
    ((nn.Embedding, nn.EmbeddingBag), "embedding"),
    ((nn.RNNBase, nn.RNNCellBase), "recurrent"),
    ((nn.MultiheadAttention,), "attention"),
    ((nn.modules.dropout._DropoutNd,), "dropout"),
    (
        (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.LocalResponseNorm)
        + ((nn.RMSNorm,) if hasattr(nn, "RMSNorm") else ()),
        "norm",
    ),
    ((nn.modules.pooling._MaxPoolNd, nn.modules.pooling._AvgPoolNd), "pool"),
    ((nn.modules.pooling._AdaptiveAvgPoolNd, nn.modules.pooling._AdaptiveMaxPoolNd), "pool"),
    (tuple(_ACTIVATIONS), "activation"),
)


def is_watched_whole(module: nn.Module) -> bool:
    """Its output is a site: it has no children (parametrizations aside), or hides them in C++."""
    if isinstance(module, _OPAQUE):
        return True
    children = module._modules
    return not children or all(name == "parametrizations" for name in children)


def role_of(module: nn.Module) -> str:
    """matmul, conv, norm, activation, embedding, recurrent, attention, dropout, pool or other."""
    for classes, role in _ROLES:
        if isinstance(module, classes):
            return role
    own = [p for p in module._parameters.values() if p is not None]
    return "matmul" if any(p.dim() >= 2 for p in own) else "other"


def activation_of(module: nn.Module) -> str:
    """Name of the activation, '' when the module is none."""
    return next((name for kind, name in _ACTIVATIONS.items() if isinstance(module, kind)), "")


def unit_dim(module_or_name: object, output: torch.Tensor) -> int:
    """The dimension of a module's output that counts units."""
    return kernels.unit_dim(output, isinstance(module_or_name, nn.modules.conv._ConvNd))


def first_tensor(value: object, depth: int = 3) -> torch.Tensor | None:
    """The first floating tensor in a tensor, tuple, list, dict, dataclass or model output."""
    found = kernels.tensors_in(value, depth)
    return next((t for t in found if t.is_floating_point() or t.is_complex()), None)
