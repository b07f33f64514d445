"""What only a deep look sees: cuts in the graph, broadcasts, functional dropout."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional

from gradoctor.capture.source import caller

if TYPE_CHECKING:
    from gradoctor.capture.session import Session


def _getter(home: Any, name: str) -> Any:
    return getattr(home, name).__get__


CUTS: dict[Any, str] = {
    torch.Tensor.detach: "detach", torch.Tensor.item: "item", torch.Tensor.numpy: "numpy",
    torch.Tensor.tolist: "tolist", torch.argmax: "argmax", torch.Tensor.argmax: "argmax",
    torch.tensor: "tensor", _getter(torch.Tensor, "data"): "data", torch.Tensor.long: "long",
    torch.Tensor.int: "int", torch.Tensor.detach_: "detach",
}  # fmt: skip
MIXING = frozenset(
    {
        torch.sub, torch.add, torch.mul, torch.Tensor.sub, torch.Tensor.add, torch.Tensor.mul,
        torch.Tensor.__sub__, torch.Tensor.__rsub__, torch.Tensor.__mul__, torch.Tensor.__add__,
        functional.mse_loss, functional.l1_loss, functional.smooth_l1_loss, functional.huber_loss,
    }
)  # fmt: skip
DROPOUTS = frozenset(
    {functional.dropout, functional.dropout1d, functional.dropout2d, functional.dropout3d,
     functional.alpha_dropout, functional.feature_alpha_dropout, torch.dropout}
)  # fmt: skip


class DeepLook:
    """Observes each operation of a deep look."""

    def __init__(self, session: Session) -> None:
        self.session = session

    def observe(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """One operation was run."""
        if func in CUTS:
            self._cut(CUTS[func], args)
        elif func in MIXING and len(args) >= 2:
            self._mix(func, args, out)

    def _module(self) -> str:
        stack = self.session.hooks.stack
        return self.session.models.name_of(stack[-1]) if stack else ""

    def _cut(self, name: str, args: tuple[Any, ...]) -> None:
        source = args[0] if args else None
        if not (isinstance(source, torch.Tensor) and source.requires_grad and source.grad_fn):
            return
        file, line = caller()
        self.session.recorder.fact(
            "cut", key=f"{file}:{line}:{name}", file=file, line=line, op=name,
            module=self._module(), upstream=[],
        )  # fmt: skip

    def _mix(self, func: Any, args: tuple[Any, ...], out: Any) -> None:
        left, right = args[0], args[1]
        if not (isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor)):
            return
        if left.shape == right.shape or not (left.requires_grad or right.requires_grad):
            return
        shape = torch.broadcast_shapes(left.shape, right.shape)  # type: ignore[no-untyped-call]
        total = 1
        for size in shape:
            total *= size
        if total <= max(left.numel(), right.numel()):
            return
        file, line = caller()
        self.session.recorder.fact(
            "broadcast", key=f"{file}:{line}", file=file, line=line,
            op=getattr(func, "__name__", "op"), left=list(left.shape), right=list(right.shape),
            out=list(shape), batch=max(left.shape[:1] + right.shape[:1], default=0),
            reaches_loss=func in (functional.mse_loss, functional.l1_loss),
        )  # fmt: skip
