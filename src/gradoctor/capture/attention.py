"""Watches attention: a sample of its logits before the mask, however the script computes them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from gradoctor import statistics as kernels
from gradoctor.capture.call_sites import CallSites
from gradoctor.capture.graph import parents

if TYPE_CHECKING:
    from gradoctor.capture.session import Session

SOFTMAX = frozenset({functional.softmax, torch.softmax, torch.Tensor.softmax})
PRODUCTS = frozenset({functional.scaled_dot_product_attention})
WHOLE = frozenset({functional.multi_head_attention_forward})
ATTENDING = SOFTMAX | PRODUCTS | WHOLE
_POINTWISE = (
    "Div", "Mul", "Add", "Sub", "MaskedFill", "Where", "View", "UnsafeView", "ReshapeAlias",
    "Expand", "Transpose", "Permute", "ToCopy", "Clone", "Tanh", "Squeeze", "Unsqueeze",
)  # fmt: skip
_STEPS = 12
"""Operations from a product to its softmax: scaling, masks, biases, a cap, and views between."""


class AttentionWatch:
    """Measures logits and entropy of attention rows, on a few heads and rows of each call."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.sites = CallSites(session, kernels.ATTENTION)

    def observe(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """An operation of ``ATTENDING`` ran in a training forward."""
        with torch.no_grad(), torch._C.DisableTorchFunction():
            if func in SOFTMAX:
                self._softmax(args, kwargs)
            elif func in PRODUCTS:
                self._product(*args, **kwargs)
            else:
                self._whole(args, kwargs)

    def _softmax(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        logits = args[0] if args else kwargs.get("input")
        dim = args[1] if len(args) > 1 else kwargs.get("dim")
        if not isinstance(logits, torch.Tensor) or logits.dim() < 3 or logits.shape[-1] < 2:
            return
        if dim not in (-1, logits.dim() - 1) or not is_product(logits):
            return
        taken = kernels.summarise_attention(kernels.sampled(logits))
        self.sites.keep(self._site(logits), taken)

    def _product(
        self,
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        attn_mask: torch.Tensor | None = None,
        dropout_p: float = 0.0,
        is_causal: bool = False,
        scale: float | None = None,
        enable_gqa: bool = False,
    ) -> None:
        found = kernels.scaled_products(query, key, attn_mask, is_causal, scale)
        if found is not None and key.shape[-2] > 1:
            self.sites.keep(self._site(query), kernels.summarise_attention(*found))

    def _whole(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """``nn.MultiheadAttention``: its projections are repeated for a few samples."""
        stack = self.session.hooks.stack
        info = self.session.models.info(stack[-1]) if stack else None
        query, key, heads, weight, bias = args[0], args[1], args[4], args[5], args[6]
        if info is None or kwargs.get("use_separate_proj_weight") or key.shape[0] < 2:
            return
        if query.dim() == 2:
            query, key = query[:, None], key[:, None]
        logits, samples, rows = kernels.projected_products(query, key, weight, bias, heads)
        mask, padding = kwargs.get("attn_mask"), kwargs.get("key_padding_mask")
        if mask is not None:
            each = mask if mask.dim() == 2 else mask.unflatten(0, (-1, heads))[samples]
            logits = _masked(logits, each[..., rows, :])
        if padding is not None:
            logits = _masked(logits, padding.reshape(-1, key.shape[0])[samples][:, None, None])
        self.sites.keep(info.site, kernels.summarise_attention(logits.flatten(0, 1)))

    def _site(self, like: torch.Tensor) -> int:
        return self.sites.here("attention", {"out_shape": list(like.shape)})


def is_product(logits: torch.Tensor) -> bool:
    """A batched product of two tensors made it, by way of scaling and masks only."""
    node = logits.grad_fn
    queue, steps = [node] if node is not None else [], 0
    while queue and steps < _STEPS:
        node, steps = queue.pop(0), steps + 1
        name = node.name().removesuffix("0").removesuffix("1").removesuffix("Backward")
        if name in ("Bmm", "Baddbmm"):
            return True
        if name in _POINTWISE:
            queue += parents(node)
    return False


def _masked(logits: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """``mask`` in PyTorch's own way: True hides, a float is added (here: hides when it is low)."""
    hide = mask if mask.dtype == torch.bool else mask < -1e3
    return logits.masked_fill(hide, float("-inf"))
