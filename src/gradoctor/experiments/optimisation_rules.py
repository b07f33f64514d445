"""Where RMSprop adds its epsilon, and what LambdaLR multiplies: PyTorch beside the formulas."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import nn
from torch.optim import SGD, Adadelta, Adagrad, Adam, Optimizer, RMSprop
from torch.optim.lr_scheduler import LambdaLR, MultiplicativeLR

from gradoctor.experiments._judging import halves, line, once
from gradoctor.knowledge.formulary import _updates
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Plot
from gradoctor.lab import Outcome

# ---- claim 67 ------------------------------------------------------------------------------------
GRADIENTS = (1e-9, 1e-6, 1e-4, 1e-2, 1.0, 100.0)
EPSILONS = (1e-10, 1e-8, 1e-4, 1e-2, 1.0)
ALPHA = 0.9


def first_step(make: Callable[[list[nn.Parameter]], Optimizer], gradient: float) -> float:
    """How far one step moves a weight of 0 down its gradient, in float64."""
    weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))
    weight.grad = torch.tensor([gradient], dtype=torch.float64)
    make([weight]).step()
    return -float(weight.detach())


def _rmsprop(gradient: float, eps: float, centered: bool = False, momentum: float = 0.0) -> float:
    return first_step(
        lambda p: RMSprop(p, 1.0, ALPHA, eps, momentum=momentum, centered=centered), gradient
    )


def _square(gradient: float, centered: bool = False) -> float:
    """The running square after one step from 0; centred: less the square of the running mean."""
    square = (1 - ALPHA) * gradient**2
    return square - ((1 - ALPHA) * gradient) ** 2 if centered else square


def _apart(told: float, found: float) -> float:
    return abs(found / told - 1)


def _kin() -> dict[str, tuple[float, float, float]]:
    """First steps for g = ε = 1: as taken, with ε after the root, with ε under it."""
    v = 1 - ALPHA
    return {
        "Adagrad": (first_step(lambda p: Adagrad(p, 1.0, eps=1.0), 1.0), 0.5, math.sqrt(0.5)),
        "Adam": (first_step(lambda p: Adam(p, 1.0, eps=1.0), 1.0), 0.5, math.sqrt(0.5)),
        "Adadelta": (
            first_step(lambda p: Adadelta(p, 1.0, ALPHA, eps=1.0), 1.0),
            1 / (math.sqrt(v) + 1),
            1 / math.sqrt(v + 1),
        ),
    }


def root_before_epsilon() -> Outcome:
    """Claim 67.

    True when one step of ``torch.optim.RMSprop`` in float64 agrees to 1e-9 with g/(√v + ε) for 6
    gradients times 5 epsilons, plain, centred and with momentum, and differs by more than 1 % from
    g/√(v + ε) in some. The formulary's rule, and what Adagrad, Adam and Adadelta do, beside it.
    """
    root, under, rule = [], [], []
    for g in GRADIENTS:
        for eps in EPSILONS:
            for centered, momentum in ((False, 0.0), (True, 0.0), (False, 0.9)):
                v, found = _square(g, centered), _rmsprop(g, eps, centered, momentum)
                root.append(_apart(g / (math.sqrt(v) + eps), found))
                under.append(_apart(g / math.sqrt(v + eps), found))
            state = _updates.start_rmsprop(1)
            (moved,) = _updates.rmsprop([0.0], [g], state, lr=1, alpha=ALPHA, eps=eps)
            rule.append(_apart(-moved, _rmsprop(g, eps)))
    kin = {name: abs(step - after) < 1e-9 for name, (step, after, _) in _kin().items()}
    alike, other = ([n for n, same in kin.items() if same is kind] for kind in (True, False))
    v = _square(1.0)
    example = (_rmsprop(1.0, 1.0), 1 / (math.sqrt(v) + 1), 1 / math.sqrt(v + 1))
    measured = Words(
        f"With g = ε = 1 and α = {ALPHA} RMSprop steps {example[0]:.3f}; g/(√v + ε) is "
        f"{example[1]:.3f}, g/√(v + ε) is {example[2]:.3f}. Over {len(root)} steps it differs from "
        f"the former by at most {max(root):.0e}. ε comes after the root in {', '.join(alike)} too, "
        f"under it in {', '.join(other) or 'none of the others'}.",
        f"g = ε = 1、α = {ALPHA} 时，RMSprop 走 {example[0]:.3f}；g/(√v + ε) 为 {example[1]:.3f}，"
        f"g/√(v + ε) 为 {example[2]:.3f}。{len(root)} 次比较中，与前者的相对误差至多 "
        f"{max(root):.0e}。同样在开方之后才加 ε 的还有 {'、'.join(alike)}；"
        f"把 ε 放在根号内的有 {'、'.join(other) or '零个'}。",
    )
    figures = {"error.root_first": once(max(root)), "error.epsilon_first": once(max(under))}
    figures |= {"error.formulary": once(max(rule)), "step": once(example[0])}
    figures |= {f"root_first.{name}": once(same) for name, same in kin.items()}
    verdict = halves(max(root) < 1e-9 and max(under) > 0.01)
    return Outcome(verdict, measured, figures, (_first_steps(),))


def _first_steps() -> Plot:
    eps, told = 1e-4, [10 ** (n / 8) for n in range(-56, 1)]
    found = told[::4]
    return Plot(
        Words("The first step with ε = 1e-4", "ε = 1e-4 时的第一步"),
        Words("gradient", "梯度"),
        Words("step, in learning rates", "步长（以学习率为单位）"),
        (
            line("g / (√v + ε)", told, [g / (math.sqrt(_square(g)) + eps) for g in told]),
            line("g / √(v + ε)", told, [g / math.sqrt(_square(g) + eps) for g in told]),
            line("torch.optim.RMSprop", found, [_rmsprop(g, eps) for g in found], points=True),
        ),
        log_x=True,
        log_y=True,
    )


# ---- claim 68 ------------------------------------------------------------------------------------
FUNCTIONS: dict[str, Callable[[int], float]] = {
    "0.9**t": lambda t: 0.9**t,
    "1/(1 + t)": lambda t: 1 / (1 + t),
    "min((t + 1)/10, 1)": lambda t: min((t + 1) / 10, 1.0),
}
EPOCHS = 30


def _optimizer(*rates: float) -> SGD:
    return SGD([{"params": [nn.Parameter(torch.zeros(1))], "lr": rate} for rate in rates])


def rates(
    make: Callable[[SGD], LambdaLR | MultiplicativeLR], lr: float = 0.5, epochs: int = EPOCHS
) -> list[float]:
    """The learning rate of each epoch under a schedule."""
    optimizer, seen = _optimizer(lr), []
    schedule = make(optimizer)
    for _ in range(epochs):
        seen.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        schedule.step()
    return seen


def _resumed() -> bool:
    """With another last_epoch the schedule asks for ``initial_lr`` instead of setting it."""
    try:
        LambdaLR(_optimizer(0.5), lambda t: 0.9**t, last_epoch=3)
    except KeyError:
        return True
    return False


def initial_rate_times_function() -> Outcome:
    """Claim 68.

    Two halves. For three functions and 30 epochs the rate is the initial one times f(t), to 1e-12
    (not the last one times f(t), which is measured beside it); and ``last_epoch=-1`` writes each
    group's rate to ``initial_lr``, while ``last_epoch=3`` refuses a group that has none.
    """
    errors = []
    for f in FUNCTIONS.values():
        seen = rates(lambda optimizer, f=f: LambdaLR(optimizer, f))  # type: ignore[misc]
        errors += [abs(rate - 0.5 * f(t)) for t, rate in enumerate(seen)]
    power = FUNCTIONS["0.9**t"]
    initial = rates(lambda o: LambdaLR(o, power))
    compound = rates(lambda o: MultiplicativeLR(o, power))
    groups = _optimizer(0.5, 0.02)
    LambdaLR(groups, power)
    kept = [group.get("initial_lr") for group in groups.param_groups]
    refused = _resumed()
    said = Words("is refused", "会报错") if refused else Words("is accepted", "被接受")
    first = [", ".join(f"{rate:.4g}" for rate in seen[:4]) for seen in (initial, compound)]
    measured = Words(
        f"From 0.5 with f(t) = 0.9**t LambdaLR gives {first[0]}; over 3 functions and {EPOCHS} "
        f"epochs it differs from 0.5·f(t) by at most {max(errors):.1g}. MultiplicativeLR, which "
        f"multiplies the last rate, gives {first[1]}. Afterwards initial_lr is {kept}; "
        f"last_epoch=3 without it {said.en}.",
        f"初始值 0.5、f(t) = 0.9**t 时，LambdaLR 依次给出 {first[0]}；3 个函数各 {EPOCHS} 轮，"
        f"与 0.5·f(t) 相差至多 {max(errors):.1g}。在上一个学习率上连乘的 MultiplicativeLR 则给出 "
        f"{first[1]}。构造之后 initial_lr 为 {kept}；"
        f"没有 initial_lr 而设 last_epoch=3，{said.zh}。",
    )
    epochs = range(EPOCHS)
    picture = Plot(
        Words("The same function, two schedules", "同一函数，两种调度"),
        Words("epoch", "轮数"),
        Words("learning rate", "学习率"),
        (
            line("LambdaLR(0.9**t)", epochs, initial, points=True),
            line("0.5 · 0.9**t", epochs, [0.5 * power(t) for t in epochs]),
            line("MultiplicativeLR(0.9**t)", epochs[:16], compound[:16]),
        ),
        log_y=True,
    )
    figures = {"error": once(max(errors)), "refused": once(refused)}
    figures |= {f"rate.{t}": once(initial[t]) for t in range(3)}
    verdict = halves(max(errors) < 1e-12, kept == [0.5, 0.02] and refused)
    return Outcome(verdict, measured, figures, (picture,))
