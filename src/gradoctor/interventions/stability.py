"""How steep a loss may curve before an optimizer's steps along it grow instead of shrinking.

Near a minimum the gradient along an eigenvector of the Hessian is ``h x``. Gradient descent then
gives ``x <- (1 - lr h) x``, which shrinks while ``lr h < 2``. With heavy-ball momentum in PyTorch's
form, ``buf <- m buf + (1 - d) h x; x <- x - lr buf``, the recursion is
``z^2 - (1 + m - lr (1 - d) h) z + m = 0``, whose roots leave the unit circle at -1:
``lr (1 - d) h < 2 + 2 m``; with Nesterov's, ``lr h < (2 + 2 m) / (1 + 2 m)``. Adam is heavy ball
with ``d = m = beta1`` on the Hessian divided by ``P = sqrt(v_hat) + eps`` (Cohen et al. 2021,
2022).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch

SETTLED = 20  # steps: before, a second moment is the square of a few gradients


class Stability(NamedTuple):
    """What one parameter's group and state make of its gradient.

    Attributes:
        rate: what the gradient is multiplied by, momentum left out: a number, or ``[shape]``.
        limit: of ``rate`` times the eigenvalue.
        decay: added to the Hessian's diagonal: weight decay that goes through the gradient.
        threshold: of the eigenvalue alone; for a preconditioned optimizer, of ``P^-1 H``.
        formula: where the threshold comes from, for the reader.
        preconditioned: each weight has a rate of its own.
        lr: of the group.
    """

    rate: float | torch.Tensor
    limit: float
    decay: float
    threshold: float
    formula: str
    preconditioned: bool
    lr: float


def stability(
    optimizer: torch.optim.Optimizer, parameter: torch.Tensor, group: Mapping[str, Any]
) -> Stability | None:
    """The stability of an optimizer's steps in one of its parameters.

    None where its threshold is not known, its rate is 0, or its state is too young.
    """
    kind = SUPPORTED.get(type(optimizer))
    if kind is None or group.get("maximize") or not float(group["lr"]) > 0:
        return None
    return kind(group, optimizer.state.get(parameter, {}))


def _sgd(group: Mapping[str, Any], state: Mapping[str, Any]) -> Stability | None:
    lr, beta, damped = (float(group[key]) for key in ("lr", "momentum", "dampening"))
    decay = float(group["weight_decay"])
    if not beta:
        return Stability(lr, 2.0, decay, 2 / lr, "2 / lr", False, lr)
    if group["nesterov"]:
        limit, formula = (2 + 2 * beta) / (1 + 2 * beta), f"{2 + 2 * beta:g} / {1 + 2 * beta:g} lr"
        return Stability(lr, limit, decay, limit / lr, formula, False, lr)
    limit, rate = 2 + 2 * beta, lr * (1 - damped)
    if not rate > 0:
        return None
    formula = f"{limit:g} / {1 - damped:g} lr" if damped else f"{limit:g} / lr"
    return Stability(rate, limit, decay, limit / rate, formula, False, lr)


def _adam(group: Mapping[str, Any], state: Mapping[str, Any]) -> Stability | None:
    steps = float(state.get("step", 0.0))
    if steps < SETTLED:
        return None
    lr, (beta1, beta2) = float(group["lr"]), map(float, group["betas"])
    squares = state["max_exp_avg_sq" if group["amsgrad"] else "exp_avg_sq"]
    scale = (squares / (1 - beta2**steps)).sqrt_().add_(group["eps"])
    own = (1 - beta1) / (1 - beta1 ** (steps + 1))  # of the gradient in the corrected mean
    limit = 2 + 2 * beta1
    return Stability(
        lr * own / scale, limit, _coupled(group), limit / (lr * own),
        f"{limit:g} / {1 - beta1:g} lr", True, lr,
    )  # fmt: skip


def _adamw(group: Mapping[str, Any], state: Mapping[str, Any]) -> Stability | None:
    return _adam({**group, "weight_decay": 0.0}, state)


def _coupled(group: Mapping[str, Any]) -> float:
    return 0.0 if group.get("decoupled_weight_decay") else float(group["weight_decay"])


def _rmsprop(group: Mapping[str, Any], state: Mapping[str, Any]) -> Stability | None:
    if float(state.get("step", 0.0)) < SETTLED:
        return None
    lr, beta = float(group["lr"]), float(group["momentum"])
    squares = state["square_avg"]
    if group["centered"]:
        squares = squares - state["grad_avg"].square()
    limit = 2 + 2 * beta
    return Stability(
        lr / squares.sqrt().add_(group["eps"]), limit, float(group["weight_decay"]), limit / lr,
        f"{limit:g} / lr", True, lr,
    )  # fmt: skip


SUPPORTED = {
    torch.optim.SGD: _sgd,
    torch.optim.Adam: _adam,
    torch.optim.AdamW: _adamw,
    torch.optim.RMSprop: _rmsprop,
}
