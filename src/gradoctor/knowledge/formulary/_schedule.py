"""What an entry on a schedule has besides; the rates of schedules, with PyTorch's conventions.

Each takes the number of steps taken so far and the base rate, and gives the rate of the next
step; ``plateau`` takes the losses seen so far instead of their number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gradoctor.knowledge.formulary._entry import Entry, Row
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Curve, Plot


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule(Entry):
    """A learning-rate schedule.

    Attributes:
        rate: ``rate(step, base, **parameters)``.
        parameters: what each parameter of PyTorch's scheduler does.
        pitfalls: where it surprises.
    """

    rate: Callable[..., float]
    parameters: Mapping[str, Words]
    pitfalls: tuple[Words, ...]

    def details(self) -> tuple[Row, ...]:
        """Parameters and pitfalls."""
        return (
            *((Words.same(name), told) for name, told in self.parameters.items()),
            *((Words("pitfall", "注意"), pitfall) for pitfall in self.pitfalls),
        )


def lambda_lr(step: int, base: float, *, lr_lambda: Callable[[int], float]) -> float:
    """The base rate times a function of the step."""
    return base * lr_lambda(step)


def step_lr(step: int, base: float, *, step_size: int, gamma: float = 0.1) -> float:
    """One factor for each so many steps."""
    return float(base * gamma ** (step // step_size))


def multi_step(step: int, base: float, *, milestones: Iterable[int], gamma: float = 0.1) -> float:
    """One factor for each milestone passed."""
    return float(base * gamma ** sum(step >= milestone for milestone in milestones))


def exponential(step: int, base: float, *, gamma: float) -> float:
    """One factor for each step."""
    return float(base * gamma**step)


def cosine(step: int, base: float, *, T_max: int, eta_min: float = 0.0) -> float:  # noqa: N803
    """Half a cosine down to ``eta_min``; beyond ``T_max`` it rises again."""
    return eta_min + (base - eta_min) * (1 + math.cos(math.pi * step / T_max)) / 2


def plateau(
    losses: Sequence[float],
    base: float,
    *,
    factor: float = 0.1,
    patience: int = 10,
    threshold: float = 1e-4,
    cooldown: int = 0,
    min_lr: float = 0.0,
    eps: float = 1e-8,
) -> float:
    """A factor whenever the loss has not improved for more than ``patience`` looks."""
    rate, best, bad, cooling = base, math.inf, 0, 0
    for loss in losses:
        if loss < best * (1 - threshold):
            best, bad = loss, 0
        else:
            bad += 1
        if cooling:
            cooling, bad = cooling - 1, 0
        if bad > patience:
            lower = max(rate * factor, min_lr)
            rate = lower if rate - lower > eps else rate
            cooling, bad = cooldown, 0
    return rate


def one_cycle(
    step: int,
    base: float,
    *,
    total_steps: int,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> float:
    """Up to the base rate, which is ``max_lr``, and down to almost nothing, along cosines."""
    low = base / div_factor
    return _cycle(step, total_steps, pct_start, (low, base, low / final_div_factor))


def one_cycle_momentum(
    step: int,
    *,
    total_steps: int,
    pct_start: float = 0.3,
    base_momentum: float = 0.85,
    max_momentum: float = 0.95,
) -> float:
    """The momentum that goes with ``one_cycle``: low where the rate is high."""
    return _cycle(step, total_steps, pct_start, (max_momentum, base_momentum, max_momentum))


def _cycle(step: int, total: int, share: float, stations: tuple[float, float, float]) -> float:
    if step > total:
        raise ValueError(f"one cycle of {total} steps was asked for step {step}")
    top, end = share * total - 1, total - 1
    rising = step <= top
    done = step / top if rising else (step - top) / (end - top)
    start, goal = stations[:2] if rising else stations[1:]
    return goal + (start - goal) * (1 + math.cos(math.pi * done)) / 2


def warm_up(
    step: int,
    base: float,
    *,
    start_factor: float = 1 / 3,
    end_factor: float = 1.0,
    total_iters: int = 5,
) -> float:
    """A straight line from one factor to another, then level."""
    done = min(step, total_iters) / total_iters
    return base * (start_factor + (end_factor - start_factor) * done)


def warm_up_cosine(
    step: int,
    base: float,
    *,
    warm: int,
    total: int,
    start_factor: float = 0.01,
    eta_min: float = 0.0,
) -> float:
    """A straight line up, then half a cosine down: the usual one for transformers."""
    if step < warm:
        return warm_up(step, base, start_factor=start_factor, total_iters=warm)
    return cosine(step - warm, base, T_max=total - warm, eta_min=eta_min)


def rates(label: Words, rate: Callable[..., float], steps: int, **parameters: Any) -> Curve:
    """The curve of a schedule, the rate in units of the base rate."""
    span = range(steps)
    values = tuple(rate(step, 1.0, **parameters) for step in span)
    return Curve(label, tuple(map(float, span)), values)


def picture(title: Words, *curves: Curve, log: bool = False) -> Plot:
    """Schedules side by side."""
    return Plot(title, Words("step", "步数"), Words("rate / base rate", "学习率 / 基础学习率"),
                curves, log_y=log)  # fmt: skip
