"""Update rules of the optimizers in plain Python, with PyTorch's conventions and defaults.

``start`` gives the state for so many weights; each rule gives the new weights and brings its
state up to date in place.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

State = dict[str, Any]
Floats = Sequence[float]


def start(*buffers: str, count: int, fill: float = 0.0) -> State:
    """A state of buffers as long as the weights, and the number of steps taken."""
    return {"steps": 0, **{name: [fill] * count for name in buffers}}


def start_sgd(count: int) -> State:
    """The state of SGD, with momentum or without."""
    return start("buffer", count=count)


def start_adagrad(count: int) -> State:
    """The state of Adagrad."""
    return start("sum", count=count)


def start_adadelta(count: int) -> State:
    """The state of Adadelta."""
    return start("square", "change", count=count)


def start_rmsprop(count: int) -> State:
    """The state of RMSprop without momentum, not centred."""
    return start("square", count=count)


def start_rprop(count: int) -> State:
    """The state of Rprop; its step sizes begin at ``lr`` with the first step."""
    return start("previous", "size", count=count)


def start_adam(count: int) -> State:
    """The state of Adam and of its kin."""
    return start("mean", "square", count=count)


def start_nadam(count: int) -> State:
    """The state of NAdam: Adam's, and the product of the momenta so far."""
    return {**start_adam(count), "product": 1.0}


def sgd(
    weights: Floats,
    gradients: Floats,
    state: State,
    *,
    lr: float = 1e-3,
    momentum: float = 0.0,
    dampening: float = 0.0,
    weight_decay: float = 0.0,
    nesterov: bool = False,
) -> list[float]:
    """SGD; the first buffer is the gradient itself, undamped."""
    gradients = decayed(weights, gradients, weight_decay)
    fresh = 1.0 if state["steps"] == 0 else 1 - dampening
    state["steps"] += 1
    if not momentum:
        return _moved(weights, gradients, lr)
    buffer = state["buffer"] = [
        momentum * b + fresh * g for b, g in zip(state["buffer"], gradients, strict=True)
    ]
    if nesterov:
        buffer = [g + momentum * b for g, b in zip(gradients, buffer, strict=True)]
    return _moved(weights, buffer, lr)


def momentum(
    weights: Floats, gradients: Floats, state: State, *, lr: float = 1e-3, momentum: float = 0.9
) -> list[float]:
    """SGD with the heavy ball."""
    return sgd(weights, gradients, state, lr=lr, momentum=momentum)


def nesterov(
    weights: Floats, gradients: Floats, state: State, *, lr: float = 1e-3, momentum: float = 0.9
) -> list[float]:
    """SGD with Nesterov's momentum as PyTorch has it."""
    return sgd(weights, gradients, state, lr=lr, momentum=momentum, nesterov=True)


def adagrad(
    weights: Floats,
    gradients: Floats,
    state: State,
    *,
    lr: float = 1e-2,
    lr_decay: float = 0.0,
    eps: float = 1e-10,
) -> list[float]:
    """Adagrad: every gradient since the start counts for ever."""
    rate = lr / (1 + state["steps"] * lr_decay)
    state["steps"] += 1
    total = state["sum"] = [s + g * g for s, g in zip(state["sum"], gradients, strict=True)]
    changes = [g / (math.sqrt(s) + eps) for g, s in zip(gradients, total, strict=True)]
    return _moved(weights, changes, rate)


def adadelta(
    weights: Floats,
    gradients: Floats,
    state: State,
    *,
    lr: float = 1.0,
    rho: float = 0.9,
    eps: float = 1e-6,
) -> list[float]:
    """Adadelta: the step has the size of the steps before it; epsilon starts it."""
    state["steps"] += 1
    square = state["square"] = _squares(state["square"], gradients, rho)
    changes = [
        g * math.sqrt(d + eps) / math.sqrt(s + eps)
        for g, d, s in zip(gradients, state["change"], square, strict=True)
    ]
    state["change"] = _squares(state["change"], changes, rho)
    return _moved(weights, changes, lr)


def rmsprop(
    weights: Floats,
    gradients: Floats,
    state: State,
    *,
    lr: float = 1e-2,
    alpha: float = 0.99,
    eps: float = 1e-8,
) -> list[float]:
    """RMSprop; epsilon is added after the root, and the average starts from 0 uncorrected."""
    state["steps"] += 1
    square = state["square"] = _squares(state["square"], gradients, alpha)
    changes = [g / (math.sqrt(s) + eps) for g, s in zip(gradients, square, strict=True)]
    return _moved(weights, changes, lr)


def rprop(
    weights: Floats,
    gradients: Floats,
    state: State,
    *,
    lr: float = 1e-2,
    etas: tuple[float, float] = (0.5, 1.2),
    step_sizes: tuple[float, float] = (1e-6, 50.0),
) -> list[float]:
    """Rprop; after a change of sign a weight stays, and its next step counts as the first."""
    if not state["steps"]:
        state["size"] = [lr] * len(weights)
    state["steps"] += 1
    moved = []
    for i, (weight, gradient) in enumerate(zip(weights, gradients, strict=True)):
        agreement = gradient * state["previous"][i]
        factor = etas[1] if agreement > 0 else etas[0] if agreement < 0 else 1.0
        size = min(max(state["size"][i] * factor, step_sizes[0]), step_sizes[1])
        seen = 0.0 if agreement < 0 else gradient
        state["size"][i], state["previous"][i] = size, seen
        moved.append(weight - (math.copysign(size, seen) if seen else 0.0))
    return moved


def adam(
    weights: Floats,
    gradients: Floats,
    state: State,
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 0.0,
) -> list[float]:
    """Adam; ``weight_decay`` is L2: it goes through the averages with the gradient."""
    mean, square = _moments(state, decayed(weights, gradients, weight_decay), betas)
    steps = state["steps"]
    rate, root = lr / (1 - betas[0] ** steps), math.sqrt(1 - betas[1] ** steps)
    changes = [m / (math.sqrt(s) / root + eps) for m, s in zip(mean, square, strict=True)]
    return _moved(weights, changes, rate)


def adamw(
    weights: Floats,
    gradients: Floats,
    state: State,
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    weight_decay: float = 1e-2,
) -> list[float]:
    """AdamW: the weights shrink on their own, then Adam steps."""
    smaller = shrunk(weights, lr, weight_decay)
    return adam(smaller, gradients, state, lr=lr, betas=betas, eps=eps)


def adamax(
    weights: Floats,
    gradients: Floats,
    state: State,
    *,
    lr: float = 2e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> list[float]:
    """Adamax: the decaying maximum of the gradient in place of its mean square."""
    state["steps"] += 1
    mean = state["mean"] = averages(state["mean"], gradients, betas[0])
    largest = state["square"] = [
        max(betas[1] * u, abs(g) + eps) for u, g in zip(state["square"], gradients, strict=True)
    ]
    changes = [m / u for m, u in zip(mean, largest, strict=True)]
    return _moved(weights, changes, lr / (1 - betas[0] ** state["steps"]))


def nadam(
    weights: Floats,
    gradients: Floats,
    state: State,
    *,
    lr: float = 2e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
    momentum_decay: float = 4e-3,
) -> list[float]:
    """NAdam: Adam with Nesterov's look ahead, under a momentum that warms up."""
    mean, square = _moments(state, gradients, betas)
    steps = state["steps"]
    now, then = (betas[0] * (1 - 0.5 * 0.96 ** (t * momentum_decay)) for t in (steps, steps + 1))
    state["product"] *= now
    of_gradient = (1 - now) / (1 - state["product"])
    of_mean = then / (1 - state["product"] * then)
    root = math.sqrt(1 - betas[1] ** steps)
    changes = [
        (of_gradient * g + of_mean * m) / (math.sqrt(s) / root + eps)
        for g, m, s in zip(gradients, mean, square, strict=True)
    ]
    return _moved(weights, changes, lr)


def radam(
    weights: Floats,
    gradients: Floats,
    state: State,
    *,
    lr: float = 1e-3,
    betas: tuple[float, float] = (0.9, 0.999),
    eps: float = 1e-8,
) -> list[float]:
    """RAdam: momentum until the mean square rests on enough steps, then Adam, rectified."""
    mean, square = _moments(state, gradients, betas)
    factor = rectified(state["steps"], betas[1])
    rate = lr / (1 - betas[0] ** state["steps"])
    if not factor:
        return _moved(weights, mean, rate)
    root = math.sqrt(1 - betas[1] ** state["steps"])
    changes = [factor * root * m / (math.sqrt(s) + eps) for m, s in zip(mean, square, strict=True)]
    return _moved(weights, changes, rate)


def rectified(steps: int, beta: float) -> float:
    """RAdam's factor at a step: 0 while the mean square is not to be trusted, 1 at last."""
    longest = 2 / (1 - beta) - 1
    length = longest - 2 * steps * beta**steps / (1 - beta**steps)
    if length <= 5:
        return 0.0
    above = (length - 4) * (length - 2) * longest
    return math.sqrt(above / ((longest - 4) * (longest - 2) * length))


def decayed(weights: Floats, gradients: Floats, weight_decay: float) -> list[float]:
    """The gradients with that of an L2 penalty, ``weight_decay/2·‖w‖²``."""
    return [g + weight_decay * w for g, w in zip(gradients, weights, strict=True)]


def shrunk(weights: Floats, lr: float, weight_decay: float) -> list[float]:
    """The weights after a decoupled decay of one step."""
    return [(1 - lr * weight_decay) * w for w in weights]


def _moments(
    state: State, gradients: Floats, betas: tuple[float, float]
) -> tuple[list[float], list[float]]:
    state["steps"] += 1
    state["mean"] = averages(state["mean"], gradients, betas[0])
    state["square"] = _squares(state["square"], gradients, betas[1])
    return state["mean"], state["square"]


def averages(old: Floats, new: Floats, keep: float) -> list[float]:
    """The exponential averages one step on."""
    return [keep * o + (1 - keep) * n for o, n in zip(old, new, strict=True)]


def _squares(old: Floats, new: Floats, keep: float) -> list[float]:
    return averages(old, [n * n for n in new], keep)


def _moved(weights: Floats, changes: Floats, rate: float) -> list[float]:
    return [w - rate * c for w, c in zip(weights, changes, strict=True)]
