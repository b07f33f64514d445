"""Slopes of activations by autograd: their formulas, where they are 0, and what holds at a kink."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from gradoctor.experiments._judging import halves, line, once, same
from gradoctor.experiments._networks import ACTIVATIONS
from gradoctor.experiments.depth_products import slopes
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Plot
from gradoctor.lab import Outcome

SLOPE = Words("derivative", "导数")
INPUT = Words("input x", "输入 x")
Function = Callable[[Tensor], Tensor]


def at(function: Function, point: float) -> float:
    """A function's derivative at one point by autograd (float64)."""
    x = torch.tensor(point, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(function(x), x)
    return float(found)


# ---- where outputs say that no gradient passes --------------------------------------------------
CLOSE, FAINT = 0.01, 0.05


def near_zero_or_one() -> Outcome:
    """Claim 31.

    A part for each activation that saturates on both sides, sigmoid and tanh: it holds when every
    output within 0.01 of 0 or of 1 has a derivative below 0.05 (float64, 40,001 points on
    [-20, 20]). ReLU is measured beside them.
    """
    x = torch.arange(-20000, 20001, dtype=torch.float64) / 1000
    names = ("sigmoid", "tanh", "relu")
    worst: dict[tuple[str, int], float] = {}
    for name in names:
        make = ACTIVATIONS[name]()
        y, slope = make(x), slopes(make, x)
        for end in (-1, 0, 1):
            near = (y - end).abs() < CLOSE
            if bool(near.any()):
                worst[name, end] = float(slope[near].max())
    holds = [all(worst[name, end] < FAINT for end in (0, 1)) for name in names[:2]]
    measured = Words(
        f"Largest derivative among outputs within {CLOSE} of 0 and of 1: sigmoid "
        f"{worst['sigmoid', 0]:.3g} and {worst['sigmoid', 1]:.3g}; tanh {worst['tanh', 0]:.3g} and "
        f"{worst['tanh', 1]:.3g} (near -1: {worst['tanh', -1]:.3g}); ReLU {worst['relu', 0]:.3g} "
        f"and {worst['relu', 1]:.3g}.",
        f"输出距 0 和距 1 不到 {CLOSE} 时的最大导数：sigmoid 为 {worst['sigmoid', 0]:.3g} 和 "
        f"{worst['sigmoid', 1]:.3g}；tanh 为 {worst['tanh', 0]:.3g} 和 {worst['tanh', 1]:.3g}"
        f"（-1 附近为 {worst['tanh', -1]:.3g}）；ReLU 为 {worst['relu', 0]:.3g} 和 "
        f"{worst['relu', 1]:.3g}。",
    )
    thin = slice(15000, 25001, 50)
    curves = []
    for name in names[:2]:
        make = ACTIVATIONS[name]()
        curves.append(line(name, make(x)[thin].tolist(), slopes(make, x)[thin].tolist()))
    ramp = torch.linspace(0.001, 1.2, 100)
    curves.append(line("relu", ramp.tolist(), [1.0] * len(ramp)))
    picture = Plot(
        Words("The derivative at each output", "不同输出值处的导数"),
        Words("output", "输出"),
        SLOPE,
        tuple(curves),
    )
    figures = {f"slope.{name}.{end}": once(v) for (name, end), v in worst.items()}
    return Outcome(halves(*holds), measured, figures, (picture,))


# ---- slopes below zero --------------------------------------------------------------------------
def below_zero() -> Outcome:
    """Claim 44.

    Two halves, one for leaky ReLU (slope 0.01) and one for ELU: every derivative on [-100, 0) is
    above 0 and at most 0.1 ("small"), and the one at -20 is still above 1e-3 (float32, as nets are
    trained).
    """
    x = -torch.arange(1, 1001, dtype=torch.float32) / 10
    makes: dict[str, nn.Module] = {
        "leaky_relu": nn.LeakyReLU(0.01), "elu": nn.ELU(), "relu": nn.ReLU()
    }  # fmt: skip
    found = {name: slopes(make, x) for name, make in makes.items()}
    far = {name: float(slope[199]) for name, slope in found.items()}
    first = {name: float(slope[0]) for name, slope in found.items()}

    def holds(name: str) -> bool:
        slope = found[name]
        return bool((slope > 0).all()) and float(slope.max()) <= 0.1 and far[name] > 1e-3

    half = float(-x[(found["elu"] < 0.01).nonzero()[0]])
    measured = Words(
        f"Leaky ReLU has the derivative {far['leaky_relu']:.3g} at -20 as everywhere below 0. ELU "
        f"has {first['elu']:.3g} at -0.1, less than 0.01 from -{half:.1f} on, and "
        f"{far['elu']:.1e} at -20; ReLU {far['relu']:.3g}.",
        f"leaky ReLU 在 -20 处的导数为 {far['leaky_relu']:.3g}，与整个负半轴相同。ELU 在 -0.1 处为 "
        f"{first['elu']:.3g}，从 -{half:.1f} 起小于 0.01，到 -20 处只有 {far['elu']:.1e}；"
        f"ReLU 为 {far['relu']:.3g}。",
    )
    shown = slice(0, 250)
    picture = Plot(
        Words("The derivative below 0", "负半轴上的导数"),
        INPUT,
        SLOPE,
        tuple(
            line(name, x[shown].tolist(), found[name][shown].tolist())
            for name in ("leaky_relu", "elu")
        ),
        log_y=True,
    )
    figures = {f"at_-20.{n}": once(v) for n, v in far.items()}
    figures |= {f"at_-0.1.{n}": once(v) for n, v in first.items()}
    return Outcome(halves(holds("leaky_relu"), holds("elu")), measured, figures, (picture,))


# ---- formulas -----------------------------------------------------------------------------------
FORMULAS: dict[str, tuple[Function, Function]] = {
    "sigmoid": (torch.sigmoid, lambda x: torch.sigmoid(x) * (1 - torch.sigmoid(x))),
    "tanh": (torch.tanh, lambda x: 1 - torch.tanh(x) ** 2),
    "relu": (F.relu, lambda x: (x > 0).to(x.dtype)),
    "leaky_relu": (partial(F.leaky_relu, negative_slope=0.01),
                   lambda x: torch.where(x > 0, torch.ones_like(x), torch.full_like(x, 0.01))),
}  # fmt: skip
"""An activation, and its derivative as the notes write it."""


def written_slopes() -> Outcome:
    """Claim 48.

    A part for each of four formulas (sigmoid, tanh, ReLU, leaky ReLU with 0.01): it holds when it
    agrees with autograd within 1e-12 at 20,000 points on [-20, 20] that are not 0 (float64).
    """
    x = (torch.arange(-10000, 10000, dtype=torch.float64) + 0.5) / 500
    error = {}
    for name, (function, formula) in FORMULAS.items():
        point = x.clone().requires_grad_()
        (slope,) = torch.autograd.grad(function(point).sum(), point)
        error[name] = float((slope - formula(x)).abs().max())
    told = ", ".join(f"{name} {value:.0e}" for name, value in error.items())
    measured = Words(
        f"Largest difference between the formula and autograd: {told}.",
        f"公式与自动求导结果的最大差值：{told.replace(', ', '，')}。",
    )
    thin = slice(7500, 12500, 25)
    picture = Plot(
        Words("Derivatives from the formulas", "由公式得到的导数"),
        INPUT,
        SLOPE,
        tuple(
            line(name, x[thin].tolist(), formula(x)[thin].tolist())
            for name, (_, formula) in FORMULAS.items()
        ),
    )
    figures = {f"error.{n}": once(v) for n, v in error.items()}
    return Outcome(halves(*(e < 1e-12 for e in error.values())), measured, figures, (picture,))


# ---- at 0 ---------------------------------------------------------------------------------------
ZERO = torch.zeros((), dtype=torch.float64)
RELUS: dict[str, Function] = {
    "F.relu(x)": F.relu,
    "nn.ReLU()(x)": nn.ReLU(),
    "torch.relu(x)": torch.relu,
    "where(x > 0, x, 0)": lambda x: torch.where(x > 0, x, ZERO),
    "maximum(x, 0)": lambda x: torch.maximum(x, ZERO),
    "(x + |x|) / 2": lambda x: (x + x.abs()) / 2,
    "clamp(x, min=0)": lambda x: x.clamp(min=0),
}
"""One function, written in seven ways."""


def relu_at_zero() -> Outcome:
    """Claim 58.

    True when PyTorch's own ReLU (as function, module and method) has the derivative 0 at exactly 0
    by autograd. The same function written otherwise is measured beside it.
    """
    found = {name: at(function, 0.0) for name, function in RELUS.items()}
    own = [found[name] == 0 for name in ("F.relu(x)", "nn.ReLU()(x)", "torch.relu(x)")]
    others = {
        "leaky_relu 0.1": at(partial(F.leaky_relu, negative_slope=0.1), 0.0),
        "elu": at(F.elu, 0.0), "gelu": at(F.gelu, 0.0), "softplus": at(F.softplus, 0.0),
    }  # fmt: skip
    told = [f"{name}: {value:.3g}" for name, value in found.items()]
    rest = [f"{name} {value:.3g}" for name, value in others.items()]
    measured = Words(
        f"The derivative that autograd gives at 0: {'; '.join(told)}. Other activations there: "
        f"{', '.join(rest)}.",
        f"自动求导在 0 处给出的导数：{'；'.join(told)}。其他激活函数在该处：{'，'.join(rest)}。",
    )
    picture = Bars(
        Words("One function, three derivatives at 0", "同一个函数，在 0 处有三种导数"),
        same(found),
        tuple(found.values()),
        Words("derivative at 0 by autograd", "自动求导在 0 处的导数"),
    )
    figures = {f"slope.{n}": once(v) for n, v in (found | others).items()}
    return Outcome(halves(all(own)), measured, figures, (picture,))


def leaky_at_zero() -> Outcome:
    """Claim 59.

    True when leaky ReLU (slope 0.1) is differentiable at 0: its difference quotients over steps of
    1e-1 to 1e-8 from the left and from the right come within 1e-3 of each other (float64). ELU is
    measured beside it to show what a function does for which this holds.
    """
    steps = [10.0**-k for k in range(1, 9)]
    functions: dict[str, Function] = {
        "leaky_relu": partial(F.leaky_relu, negative_slope=0.1), "relu": F.relu, "elu": F.elu
    }  # fmt: skip
    gaps = {name: [_gap(f, h) for h in steps] for name, f in functions.items()}
    own = at(functions["leaky_relu"], 0.0)
    measured = Words(
        f"The difference quotients of leaky ReLU right and left of 0 differ by "
        f"{gaps['leaky_relu'][-1]:.3g} however small the step (ReLU: {gaps['relu'][-1]:.3g}; ELU: "
        f"{gaps['elu'][-1]:.0e} at a step of 1e-8). Autograd says {own:.3g} at 0.",
        f"无论步长多小，leaky ReLU 在 0 点左右两侧的差商始终相差 {gaps['leaky_relu'][-1]:.3g}"
        f"（ReLU 为 {gaps['relu'][-1]:.3g}；ELU 在步长 1e-8 时为 {gaps['elu'][-1]:.0e}）。"
        f"自动求导在 0 处给出 {own:.3g}。",
    )
    picture = Plot(
        Words("Does a derivative exist at 0?", "在 0 处可导吗？"),
        Words("step of the difference quotient", "差商的步长"),
        Words("right minus left", "右差商减左差商"),
        tuple(line(name, steps, gap) for name, gap in gaps.items()),
        log_x=True,
    )
    figures = {f"gap.{n}": once(g[-1]) for n, g in gaps.items()} | {"autograd": once(own)}
    return Outcome(halves(gaps["leaky_relu"][-1] < 1e-3), measured, figures, (picture,))


def _gap(function: Function, step: float) -> float:
    """The difference quotient to the right of 0 less that to the left."""
    left, middle, right = function(torch.tensor([-step, 0.0, step], dtype=torch.float64)).tolist()
    return float((right - middle) / step - (middle - left) / step)
