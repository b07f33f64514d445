"""Activations as PyTorch's modules: RReLU's chance, PReLU's parameters, what in place does."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from gradoctor.experiments._judging import STEP, band, halves, line, once, same
from gradoctor.experiments._networks import generator
from gradoctor.experiments._training import seeded
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Grid, Plot
from gradoctor.lab import Outcome, Spread

SEEDS = 5


# ---- RReLU --------------------------------------------------------------------------------------
LOWER, UPPER, DRAWS = 0.1, 0.3, 2**24


def random_slopes() -> Outcome:
    """Claim 61.

    Three parts, with 2^24 draws from (0.1, 0.3) in float32 as nets are trained. In training the
    slope is random: the draws' standard deviation is within 1 % of the uniform's. The bounds are
    left out: no draw is at or past one of them. And it is random in eval mode too: more than one
    slope is found there.
    """
    below = -torch.ones(DRAWS)
    module = nn.RReLU(LOWER, UPPER)
    with seeded(0):
        drawn = -module(below)
        module.eval()
        fixed = -module(below[:1000])
    low, high = torch.tensor([LOWER, UPPER])
    at_low, at_high = int((drawn <= low).sum()), int((drawn >= high).sum())
    std, uniform = float(drawn.double().std()), (UPPER - LOWER) / 12**0.5
    kinds = len(fixed.unique())
    measured = Words(
        f"In training {DRAWS:,} slopes have a standard deviation of {std:.4f} (uniform: "
        f"{uniform:.4f}); {at_low} are at the lower bound and {at_high} at the upper. In "
        f"eval mode {kinds} slope: {float(fixed[0]):.3g}, the mean of the bounds.",
        f"训练模式下 {DRAWS:,} 次抽样所得斜率的标准差为 {std:.4f}（均匀分布为 {uniform:.4f}）；"
        f"恰在下界的有 {at_low} 个，恰在上界的有 {at_high} 个。"
        f"评估模式下只有 {kinds} 个斜率：{float(fixed[0]):.3g}，即两界的均值。",
    )
    x = torch.linspace(-3, 1, 241)
    with seeded(1):
        scattered = module.train()(x)
    picture = Plot(
        Words("RReLU in training and in eval mode", "训练模式与评估模式下的 RReLU"),
        Words("input x", "输入 x"),
        Words("output", "输出"),
        (
            line(Words("in training", "训练模式"), x.tolist(), scattered.tolist(), points=True),
            line(Words("in eval mode", "评估模式"), x.tolist(), module.eval()(x).tolist()),
        ),
    )
    figures = {"std": once(std), "at_lower": once(at_low), "at_upper": once(at_high),
               "eval.slopes": once(kinds), "eval.slope": once(float(fixed[0]))}  # fmt: skip
    random = abs(std / uniform - 1) < 0.01
    verdict = halves(random, at_low + at_high == 0, kinds > 1)
    return Outcome(verdict, measured, figures, (picture,))


# ---- PReLU --------------------------------------------------------------------------------------
SHAPES = ((4, 3), (2, 3, 5), (2, 3, 4, 4), (2, 1, 4, 4), (6, 6))


def takes(count: int, shape: tuple[int, ...]) -> bool:
    """Whether ``nn.PReLU(count)`` takes an input of this shape."""
    try:
        nn.PReLU(count)(torch.randn(shape))
    except RuntimeError:
        return False
    return True


def prelu_parameters() -> Outcome:
    """Claim 62.

    True when for every one of five input shapes and 1 to 6 parameters ``nn.PReLU`` accepts the
    input if and only if the number is 1 or the size of the input's second dimension.
    """
    counts = range(1, 7)
    with seeded(0):
        taken = {shape: [takes(n, shape) for n in counts] for shape in SHAPES}
        flat = [n for n in counts if takes(n, (5,))]
    holds = all(
        ok == (n in {1, shape[1]})
        for shape in SHAPES
        for n, ok in zip(counts, taken[shape], strict=True)
    )
    told = [
        (list(shape), [n for n, ok in zip(counts, taken[shape], strict=True) if ok])
        for shape in SHAPES
    ]
    measured = Words(
        "Numbers of parameters that are accepted, of 1 to 6: "
        + "; ".join(f"{', '.join(map(str, ok))} for {shape}" for shape, ok in told)
        + f". An input of one dimension, [5], takes {', '.join(map(str, flat))} only.",
        "在 1 到 6 之中被接受的参数个数："
        + "；".join(f"输入 {shape} 时为 {'、'.join(map(str, ok))}" for shape, ok in told)
        + f"。一维输入 [5] 只接受 {'、'.join(map(str, flat))}。",
    )
    grid = Grid(
        Words("Does PReLU take this input? (1: yes)", "PReLU 接受这种输入吗？（1 表示接受）"),
        tuple(Words(f"input {list(s)}", f"输入 {list(s)}") for s in SHAPES),
        tuple(Words.same(f"PReLU({n})") for n in counts),
        tuple(tuple(float(ok) for ok in taken[shape]) for shape in SHAPES),
    )
    figures = {f"taken.{'x'.join(map(str, s))}": once(sum(ok)) for s, ok in taken.items()}
    return Outcome(halves(holds), measured, figures, (grid,))


TARGETS = (-0.2, 0.1, 0.5, 0.9)


def _fitted(target: float, seed: int, decay: float = 0.0) -> list[float]:
    """PReLU's slope over 200 steps of SGD towards a leaky ReLU of another slope."""
    chance, module = generator(seed), nn.PReLU()
    optimizer = torch.optim.SGD(module.parameters(), 0.1, weight_decay=decay)
    slopes = [float(module.weight.detach())]
    for _ in range(200):
        x = torch.randn(64, 1, generator=chance)
        optimizer.zero_grad()
        F.mse_loss(module(x), F.leaky_relu(x, target)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        slopes.append(float(module.weight.detach()))
    return slopes


def prelu_learns() -> Outcome:
    """Claim 63.

    True when PReLU's slope is among ``parameters()`` with the gradient that theory gives (the sum
    of incoming gradient times input where the input is negative, to 1e-12 in float64), and SGD
    brings it within 0.02 of each of four slopes of a teacher (5 seeds).
    """
    module = nn.PReLU(dtype=torch.float64)
    listed = any(p is module.weight for p in module.parameters())
    x, pull = torch.randn(2, 64, generator=generator(0), dtype=torch.float64)
    (module(x) * pull).sum().backward()
    grad = module.weight.grad
    error = 1.0 if grad is None else abs(float(grad) - float((pull * x)[x < 0].sum()))
    runs = {t: [_fitted(t, s) for s in range(SEEDS)] for t in TARGETS}
    ends = {t: Spread.of(run[-1] for run in found) for t, found in runs.items()}
    reached = all(max(abs(e.low - t), abs(e.high - t)) < 0.02 for t, e in ends.items())
    decayed = Spread.of(_fitted(0.5, s, 0.1)[-1] for s in range(SEEDS))
    start = float(nn.PReLU().weight.detach())
    measured = Words(
        f"The slope starts at {start:.3g}; its gradient is the one of theory to {error:.0e}. "
        "200 steps of SGD bring it to "
        + ", ".join(f"{e} (teacher {t:g})" for t, e in ends.items())
        + f". With weight decay of 0.1 it ends at {decayed} instead of 0.5.",
        f"斜率的初值为 {start:.3g}，其梯度与理论值只差 {error:.0e}。经 200 步 SGD，斜率到达 "
        + "，".join(f"{e}（教师 {t:g}）" for t, e in ends.items())
        + f"。若权重衰减为 0.1，则停在 {decayed}，而不是 0.5。",
    )
    picture = Plot(
        Words("PReLU learns the slope of its teacher", "PReLU 学到教师的斜率"),
        STEP,
        Words("slope", "斜率"),
        tuple(
            band(Words(f"teacher {t:g}", f"教师 {t:g}"), range(0, 201, 4), [r[::4] for r in found])
            for t, found in runs.items()
        ),
    )
    figures = {f"slope.{t}": e for t, e in ends.items()}
    figures |= {"slope.decayed": decayed, "gradient.error": once(error)}
    return Outcome(
        halves(listed and error < 1e-12 and reached), measured, figures, (picture,), SEEDS
    )


# ---- in place -----------------------------------------------------------------------------------
IN_PLACE: dict[str, Callable[[], nn.Module]] = {
    "ReLU": lambda: nn.ReLU(inplace=True), "LeakyReLU": lambda: nn.LeakyReLU(0.1, inplace=True),
    "ELU": lambda: nn.ELU(inplace=True), "Hardtanh": lambda: nn.Hardtanh(inplace=True),
    "SiLU": lambda: nn.SiLU(inplace=True), "RReLU": lambda: nn.RReLU(inplace=True),
}  # fmt: skip
BEFORE: dict[str, Callable[[Tensor], Tensor]] = {
    "x + 1": lambda x: x + 1, "2x": lambda x: 2 * x, "sigmoid": torch.sigmoid, "tanh": torch.tanh,
    "exp": torch.exp, "square": torch.square, "softplus": F.softplus,
}  # fmt: skip
"""What may come before an activation in place; the backward of some needs what they gave."""


def breaks(before: Callable[[Tensor], Tensor]) -> bool:
    """Whether backward refuses an operation whose output ReLU has overwritten."""
    x = torch.linspace(-1, 1, 8, requires_grad=True)
    try:
        F.relu(before(x), inplace=True).sum().backward()  # type: ignore[no-untyped-call]
    except RuntimeError as error:
        if "inplace operation" not in str(error):
            raise
        return True
    return False


def overwriting() -> Outcome:
    """Claim 70.

    True when for each of six activations with ``inplace=True`` the output is the input's own
    memory and the input's values have changed. What autograd says to it, and what a residual sum
    x + ReLU(x) gives, is measured beside it.
    """
    kept = torch.linspace(-2, 2, 9)
    overwrites = {}
    for name, make in IN_PLACE.items():
        x = kept.clone()
        out = make()(x)
        overwrites[name] = out.data_ptr() == x.data_ptr() and not torch.equal(x, kept)
    refused = {name: breaks(before) for name, before in BEFORE.items()}
    x = kept.clone()
    wrong = float((x + F.relu(kept) - (F.relu(x, inplace=True) + x)).abs().max())
    stopped = [name for name, no in refused.items() if no]
    fine = [name for name, no in refused.items() if not no]
    measured = Words(
        f"{sum(overwrites.values())} of {len(overwrites)} activations overwrite their input. "
        f"Backward then stops with an error after {', '.join(stopped)}, and not after "
        f"{', '.join(fine)}. The residual sum ReLU(x) + x is off by up to {wrong:g} on [-2, 2], "
        "without any error.",
        f"{len(overwrites)} 种激活函数中有 {sum(overwrites.values())} 种覆盖了输入。"
        f"若前一步是 {'、'.join(stopped)}，反向传播随即报错；若是 {'、'.join(fine)} 则不会。"
        f"残差和 ReLU(x) + x 在 [-2, 2] 上的误差可达 {wrong:g}，而且不报任何错。",
    )
    bars = Bars(
        Words(
            "ReLU in place after these: does backward fail? (1: yes)",
            "在这些运算之后用原地 ReLU，反向传播会失败吗？（1 表示会）",
        ),
        same(refused),
        tuple(float(no) for no in refused.values()),
    )
    bad = kept.clone()
    curves = Plot(
        Words("A residual sum with ReLU in place", "含原地 ReLU 的残差和"),
        Words("input x", "输入 x"),
        Words("output", "输出"),
        (
            line("relu(x) + x", kept.tolist(), (F.relu(kept) + kept).tolist()),
            line("relu_(x) + x", kept.tolist(), (F.relu(bad, inplace=True) + bad).tolist()),
        ),
    )
    figures = {f"overwrites.{n}": once(float(v)) for n, v in overwrites.items()}
    figures |= {f"refused.{n}": once(v) for n, v in refused.items()} | {"residual": once(wrong)}
    return Outcome(halves(all(overwrites.values())), measured, figures, (bars, curves))
