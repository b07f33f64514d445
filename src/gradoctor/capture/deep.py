"""What only a deep look sees: cuts in the graph, broadcasts, functional dropout."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.nn import functional

from gradoctor.capture.graph import Node, leaves, walk
from gradoctor.capture.guard import quiet
from gradoctor.capture.losses import LOSSES
from gradoctor.capture.places import calling
from gradoctor.capture.source import caller

if TYPE_CHECKING:
    from gradoctor.capture.session import Session


def _getter(home: Any, name: str) -> Any:
    return getattr(home, name).__get__


CUTS: dict[Any, str] = {
    torch.Tensor.detach: "detach", torch.Tensor.item: "item", torch.Tensor.numpy: "numpy",
    torch.Tensor.tolist: "tolist", torch.argmax: "argmax", torch.Tensor.argmax: "argmax",
    torch.tensor: "tensor", _getter(torch.Tensor, "data"): "data", torch.Tensor.long: "long",
    torch.Tensor.int: "int", torch.Tensor.detach_: "detach", torch.as_tensor: "tensor",
    torch.Tensor.__float__: "float", torch.Tensor.__int__: "int",
}  # fmt: skip
MIXING = frozenset(
    {
        torch.sub, torch.add, torch.mul, torch.Tensor.sub, torch.Tensor.add, torch.Tensor.mul,
        torch.Tensor.__sub__, torch.Tensor.__rsub__, torch.Tensor.__mul__, torch.Tensor.__add__,
    }
)  # fmt: skip
LOSS_MIXING = frozenset({"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss"})
"""By name: while a run is watched, wrappers stand in the place of loss functions."""
DROPOUTS = frozenset(
    {functional.dropout, functional.dropout1d, functional.dropout2d, functional.dropout3d,
     functional.alpha_dropout, functional.feature_alpha_dropout, torch.dropout}
)  # fmt: skip
REACH = 12
"""Operations between a broadcast and the root of backward: a mean of squares takes three."""


class DeepLook:
    """Observes each operation of a deep look."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self._behind: dict[str, set[int]] = {}
        self._mixed: dict[Node, str] = {}
        self._sources: set[tuple[str, int]] = set()

    def observe(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """One operation was run in training."""
        self.session.causality.observe(func, args, kwargs)
        if func in CUTS:
            self._cut(CUTS[func], args)
        elif (func in MIXING or LOSSES.get(func) in LOSS_MIXING) and len(args) >= 2:
            self._mix(func, args, out)

    def _module(self) -> str:
        stack = self.session.hooks.stack
        return self.session.models.name_of(stack[-1]) if stack else ""

    # ---- cuts --------------------------------------------------------------------------------
    def _cut(self, name: str, args: tuple[Any, ...]) -> None:
        for source in _with_graph(args[0] if args else None):
            self.cut(name, source.grad_fn, *caller())

    def cut(self, name: str, node: Node, file: str | None, line: int | None) -> None:
        """The graph ends here; what lies behind is kept until it is known who got a gradient."""
        key = f"{file}:{line}:{name}"
        behind = self._behind.setdefault(key, set())
        if len(self._sources) < 64 and (key, id(node)) not in self._sources:
            self._sources.add((key, id(node)))
            behind.update(leaves(node))
        self._state(key, name, file, line)

    def without_grad(
        self, parameters: list[torch.Tensor], file: str | None, line: int | None
    ) -> None:
        """A module with trainable parameters ran under no_grad inside a training forward."""
        key = f"{file}:{line}:no_grad"
        self._behind.setdefault(key, set()).update(map(id, parameters))
        self._state(key, "no_grad", file, line)

    def idle(self, module: nn.Module) -> None:
        """A model in train mode that an optimizer holds runs without gradient: it may get none.

        What comes before the first step is a trial; a loop does it again and again.
        """
        session = self.session
        owners = session.optimizers.owners()
        held: list[torch.Tensor] = [p for p in module.parameters() if id(p) in owners]
        if not held or not session.recorder.step:
            return
        if not session.models.is_known(module):
            session.models.add_root(module)
        infos = (session.models.info(part) for part in module.modules())
        session.hooks.used.update(info.site for info in infos if info is not None)
        self.without_grad([p for p in held if p.requires_grad], *caller())

    def _state(self, key: str, name: str, file: str | None, line: int | None) -> None:
        known = self.session.recorder.known_fact("cut", None, key)
        upstream = known.data["upstream"] if known is not None else []
        self.session.recorder.fact(
            "cut", None, key, file=file, line=line, op=name, module=self._module(),
            upstream=upstream,
        )  # fmt: skip

    def close_cuts(self, starved: dict[int, str]) -> None:
        """Name the parameters (by ``id``) that never got a gradient, at the cut before them."""
        for key, behind in self._behind.items():
            names = sorted({starved[p] for p in behind if p in starved})[:20]
            known = self.session.recorder.known_fact("cut", None, key)
            if known is not None and names != known.data["upstream"]:
                self.session.recorder.fact("cut", None, key, count=0, upstream=names)
        self._sources.clear()

    # ---- broadcasts --------------------------------------------------------------------------
    def _mix(self, func: Any, args: tuple[Any, ...], out: Any) -> None:
        left, right = args[0], args[1]
        if not (isinstance(left, torch.Tensor) and isinstance(right, torch.Tensor)):
            return
        if left.shape == right.shape or not (left.requires_grad or right.requires_grad):
            return
        shape = torch.broadcast_shapes(left.shape, right.shape)  # type: ignore[no-untyped-call]
        if shape.numel() <= max(left.numel(), right.numel()):
            return
        file, line = caller()
        key = f"{file}:{line}"
        known = self.session.recorder.known_fact("broadcast", None, key)
        reached = func in LOSSES or (known is not None and known.data["reaches_loss"])
        self.session.recorder.fact(
            "broadcast", None, key, file=file, line=line, op=getattr(func, "__name__", "op"),
            left=list(left.shape), right=list(right.shape), out=list(shape),
            batch=max(left.shape[:1] + right.shape[:1], default=0), reaches_loss=reached,
            both=left.requires_grad and right.requires_grad,
        )  # fmt: skip
        if isinstance(out, torch.Tensor) and out.grad_fn is not None and len(self._mixed) < 64:
            self._mixed[out.grad_fn] = key

    def at_root(self, root: torch.Tensor) -> None:
        """A backward begins: which of the broadcasts lie right before the loss?"""
        if root.grad_fn is None or not self._mixed:
            return
        for node in walk(root.grad_fn, 200, REACH):
            key = self._mixed.get(node)
            if key is not None:
                self.session.recorder.fact("broadcast", None, key, count=0, reaches_loss=True)
        self._mixed.clear()


class Dropouts:
    """Functional dropout: in training for its rate, in evaluation for being active at all."""

    def __init__(self, session: Session) -> None:
        self.session = session
        self.made: dict[Node, tuple[int | None, str]] = {}

    def observe(self, args: tuple[Any, ...], kwargs: dict[str, Any], out: Any) -> None:
        """``F.dropout`` was called."""
        p = float(args[1] if len(args) > 1 else kwargs.get("p", 0.5))
        active = bool(args[2] if len(args) > 2 else kwargs.get("training", True))
        stack = self.session.hooks.stack
        if not active or not p:
            return
        owner = stack[-1] if stack else None
        if owner is not None and type(owner).__module__.startswith("torch.nn.modules.dropout"):
            info = self.session.models.info(owner)
            at = (info.site if info is not None else None, "")
        else:
            at = (None, self._functional(p, owner))
        node = out.grad_fn if isinstance(out, torch.Tensor) else None
        if node is not None:
            self.made[node] = at

    def _functional(self, p: float, owner: Any) -> str:
        file, line = caller()
        key = f"{file}:{line}"
        known = self.session.recorder.known_fact("dropout", None, key)
        data = dict(known.data) if known is not None else {"output_of_model": False}
        # who writes training=True means it (Monte Carlo dropout); who leaves it out forgot it
        in_eval = owner is not None and not owner.training and not _is_meant(calling())
        self.session.recorder.fact(
            "dropout", None, key, file=file, line=line, p=p, functional=True,
            output_of_model=data["output_of_model"],
            active_in_eval=data.get("active_in_eval", 0) + in_eval,
            grad_disabled=data.get("grad_disabled", 0) + (not torch.is_grad_enabled()),
        )  # fmt: skip
        return key

    def at_loss(self, prediction: torch.Tensor) -> None:
        """A loss function is called: its prediction comes straight from a dropout."""
        at = self.made.get(prediction.grad_fn) if prediction.grad_fn is not None else None
        if at is not None and self.session.recorder.known_fact("dropout", *at) is not None:
            self.session.recorder.fact("dropout", *at, count=0, output_of_model=True)


def _is_meant(call: ast.Call | None) -> bool:
    """``F.dropout`` is told whether to drop; a call that cannot be read gets the benefit of it."""
    if call is None or len(call.args) > 2:
        return True
    return any(k.arg in ("training", None) for k in call.keywords)


def _with_graph(value: Any, depth: int = 2) -> list[torch.Tensor]:
    """Tensors with a graph behind them in an argument: ``torch.tensor`` takes nested lists."""
    if isinstance(value, torch.Tensor):
        return [value] if value.requires_grad and value.grad_fn is not None else []
    if depth and isinstance(value, list | tuple):
        found: list[torch.Tensor] = []
        for part in value[:64]:
            found += quiet(_with_graph, part, depth - 1, default=[])
        return found
    return []
