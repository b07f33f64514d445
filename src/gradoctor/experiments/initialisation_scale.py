"""The scale of the first weights: what it is taken from, and what comes of it in depth."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import median

import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradoctor.experiments._data import digits
from gradoctor.experiments._judging import halves, line, once
from gradoctor.experiments._networks import Draw, Stack, flow, pulled, scaled, slope, spread
from gradoctor.experiments._training import train
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Grid, Plot
from gradoctor.lab import Outcome, Spread

SEEDS = 5


# ---- claim 17 ------------------------------------------------------------------------------------
def uniform(gain: float) -> Draw:
    """Uniform with the variance of ``scaled(gain)``."""

    def draw(weight: Tensor, generator: torch.Generator) -> None:
        bound = gain * math.sqrt(3 / weight.shape[1])
        nn.init.uniform_(weight, -bound, bound, generator)

    return draw


def signs(gain: float) -> Draw:
    """Plus or minus one number, with the variance of ``scaled(gain)``."""

    def draw(weight: Tensor, generator: torch.Generator) -> None:
        nn.init.uniform_(weight, -1, 1, generator)
        with torch.no_grad():
            weight.copy_(weight.sign() * gain / math.sqrt(weight.shape[1]))

    return draw


def _bits(activation: str, draw: Draw) -> Spread:
    x = digits().x[:128].double()
    return Spread.of(
        slope(pulled(Stack(20, activation, draw, seed=s, dtype=torch.float64), x, s)[1:])
        for s in range(SEEDS)
    )


def _first(activation: str, depth: int, std: float) -> float:
    """log10 of the first matrix's gradient (rms, float32, digits); 0 counts as 1e-46."""
    data = digits()
    found = [
        flow(Stack(depth, activation, spread(std), seed=s), data.x[:128], data.y[:128]).weights[0]
        for s in range(SEEDS)
    ]
    return math.log10(max(median(found), 1e-46))


SHAPES = {"normal": scaled, "uniform": uniform, "signs": signs}


def gaussian_scale() -> Outcome:
    """Claim 17.

    Three parts, 20 layers on the digits, 5 seeds. Normal weights as such help: at He's variance
    they keep the gradient of ReLU at least 0.1 bits a layer nearer to level than uniform ones and
    random signs do. Too large ones explode: N(0, 1) makes it grow by a bit a layer or more with
    ReLU; and with tanh.
    """
    same_variance = {name: _bits("relu", shape(math.sqrt(2))) for name, shape in SHAPES.items()}
    level = {name: abs(bits.middle) for name, bits in same_variance.items()}
    shape_helps = min(level["uniform"], level["signs"]) - level["normal"] > 0.1
    large = {name: _bits(name, spread(1.0)) for name in ("relu", "tanh")}
    small = {name: _bits(name, spread(0.01)) for name in ("relu", "tanh")}
    measured = Words(
        f"At the same (He's) variance ReLU changes the gradient by {same_variance['normal']} bits "
        f"per layer with normal weights, {same_variance['uniform']} with uniform ones, "
        f"{same_variance['signs']} with random signs. N(0, 1): ReLU {large['relu']}, tanh "
        f"{large['tanh']}; N(0, 0.01²): ReLU {small['relu']}, tanh {small['tanh']}.",
        f"在相同的（He）方差下，ReLU 网络的梯度每层变化：正态权重 {same_variance['normal']} 比特，"
        f"均匀权重 {same_variance['uniform']}，随机符号权重 {same_variance['signs']}。"
        f"N(0, 1)：ReLU {large['relu']}，tanh {large['tanh']}；"
        f"N(0, 0.01²)：ReLU {small['relu']}，tanh {small['tanh']}。",
    )
    figures = {f"bits.relu.{name}": s for name, s in same_variance.items()}
    figures |= {f"bits.{name}.large": s for name, s in large.items()}
    figures |= {f"bits.{name}.small": s for name, s in small.items()}
    verdict = halves(shape_helps, large["relu"].low > 1, large["tanh"].low > 1)
    maps = tuple(_map(name) for name in ("relu", "tanh"))
    return Outcome(verdict, measured, figures, maps, SEEDS)


def _map(activation: str) -> Grid:
    depths, stds = (2, 5, 10, 20), (0.001, 0.01, 0.05, 0.18, 0.5, 1.0)
    title = "log10 of the first layer's gradient"
    return Grid(
        Words(f"{activation}: {title}", f"{activation}：首层梯度的常用对数"),
        tuple(Words(f"{d} layers", f"{d} 层") for d in depths),
        tuple(Words.same(f"σ = {s:g}") for s in stds),
        tuple(tuple(_first(activation, d, s) for s in stds) for d in depths),
        Words("log10 (-46: exactly 0)", "以 10 为底的对数（-46 表示恰为 0）"),
    )


# ---- claim 41 ------------------------------------------------------------------------------------
RULES: dict[str, Callable[..., Tensor]] = {
    "He": nn.init.kaiming_normal_,
    "Xavier": nn.init.xavier_normal_,
}
EXPECTED: dict[str, Callable[[int], float]] = {
    "He": lambda fan_in: math.sqrt(2 / fan_in),
    "Xavier": lambda fan_in: math.sqrt(2 / (fan_in + 256)),
}


def _std(rule: str, width: int, depth: int) -> list[float]:
    """The standard deviation that a rule gives each of ``depth`` matrices (256 × width)."""
    chance = torch.Generator().manual_seed(depth)
    return [
        float(RULES[rule](torch.empty(256, width), generator=chance).std()) for _ in range(depth)
    ]


def scaled_by_fan() -> Outcome:
    """Claim 41.

    Two halves, for He's and Xavier's rules. That they go by the number of layers: the standard
    deviation differs by more than 5 % between networks of 2 and of 50 layers. That they do not go
    by the fans: it is not within 5 % of √(2/fan-in), or √(2/(fan-in + fan-out)), at every width.
    """
    widths, depths = (16, 64, 256, 1024), (2, 5, 10, 20, 50)
    by_width = {rule: [_std(rule, w, 1)[0] for w in widths] for rule in RULES}
    by_depth = {rule: [median(_std(rule, 256, d)) for d in depths] for rule in RULES}
    moved = max(max(v) / min(v) - 1 for v in by_depth.values())
    off = max(
        abs(std / EXPECTED[rule](w) - 1)
        for rule in RULES
        for w, std in zip(widths, by_width[rule], strict=True)
    )
    measured = Words(
        f"From 2 to 50 layers the standard deviation changes by {moved:.1%} at most. From a fan-in "
        f"of 16 to 1024 He's goes from {by_width['He'][0]:.3f} to {by_width['He'][-1]:.4f}, within "
        f"{off:.1%} of the formula.",
        f"层数由 2 增至 50，标准差最多变化 {moved:.1%}。扇入由 16 增至 1024，He 初始化的标准差由 "
        f"{by_width['He'][0]:.3f} 降至 {by_width['He'][-1]:.4f}，与公式最多相差 {off:.1%}。",
    )
    label = Words("standard deviation", "标准差")
    fans = Plot(
        Words("Standard deviation by fan-in", "标准差与扇入的关系"),
        Words("fan-in", "扇入"),
        label,
        tuple(
            curve
            for rule in RULES
            for curve in (
                line(Words(f"{rule}: drawn", f"{rule}：实测"), widths, by_width[rule], points=True),
                line(
                    Words(f"{rule}: formula", f"{rule}：公式"), widths, map(EXPECTED[rule], widths)
                ),
            )
        ),
        log_x=True,
        log_y=True,
    )
    layers = Plot(
        Words("Standard deviation by number of layers", "标准差与层数的关系"),
        Words("layers", "层数"),
        label,
        tuple(line(rule, depths, by_depth[rule]) for rule in RULES),
        y_range=(0.0, 0.12),
    )
    figures = {"moved.depth": once(moved), "off.formula": once(off)}
    return Outcome(halves(moved > 0.05, off > 0.05), measured, figures, (fans, layers))


# ---- claim 54 ------------------------------------------------------------------------------------
DEPTHS = (1, 2, 4, 6)
STDS = {"0.01": spread(0.01), "0.1": spread(0.1), "Xavier": scaled(1.0), "1": spread(1.0)}


def _saturated(std: Draw, seed: int) -> float:
    """The share of a first tanh layer's units beyond ±0.99, fed with digits."""
    with torch.no_grad():
        state = Stack(1, "tanh", std, seed=seed).states(digits().x[:256])[1]
    return float((state.abs() > 0.99).double().mean())


def hundredth() -> Outcome:
    """Claim 54.

    Three parts, tanh on the digits, 5 seeds. Weights of 0.01·N(0, 1) keep a first layer out of
    saturation (under 1 % of it beyond 0.99, over 10 % with N(0, 1)); one hidden layer of them
    learns (300 steps of SGD at 0.1 bring the loss below a quarter of ln 10 in every seed); and so
    do six.
    """
    data = digits()
    ends = {
        (depth, name): Spread.of(
            train(net, data, SGD(net.parameters(), 0.1), steps=300, seed=seed).lowest()
            for seed, net in ((s, Stack(depth, "tanh", draw, seed=s)) for s in range(SEEDS))
        )
        for depth in DEPTHS
        for name, draw in STDS.items()
    }
    full = {n: Spread.of(_saturated(d, s) for s in range(SEEDS)) for n, d in STDS.items()}
    quarter = math.log(10) / 4
    measured = Words(
        f"Of a first tanh layer {full['0.01']} is saturated at σ = 0.01, {full['1']} at σ = 1. "
        f"Lowest loss in 300 steps at σ = 0.01: {ends[1, '0.01']} with one hidden layer, "
        f"{ends[6, '0.01']} with six (Xavier: {ends[6, 'Xavier']}); ln 10 is {math.log(10):.3f}.",
        f"首个 tanh 层中饱和的比例：σ = 0.01 时为 {full['0.01']}，σ = 1 时为 {full['1']}。"
        f"σ = 0.01 时 300 步内的最低损失：一个隐藏层 {ends[1, '0.01']}，六个隐藏层 "
        f"{ends[6, '0.01']}"
        f"（Xavier 为 {ends[6, 'Xavier']}）；ln 10 = {math.log(10):.3f}。",
    )
    grid = Grid(
        Words("Lowest loss in 300 steps (tanh, SGD)", "300 步内的最低损失（tanh，SGD）"),
        tuple(Words(f"{d} hidden", f"{d} 个隐藏层") for d in DEPTHS),
        tuple(Words.same(f"σ = {n}" if n != "Xavier" else n) for n in STDS),
        tuple(tuple(ends[d, n].middle for n in STDS) for d in DEPTHS),
        Words("loss (ln 10 = 2.30: nothing learnt)", "损失（ln 10 = 2.30 表示什么也没学到）"),
    )
    figures = {f"loss.{d}.{n}": s for (d, n), s in ends.items()}
    figures |= {f"saturated.{n}": s for n, s in full.items()}
    verdict = halves(
        full["0.01"].high < 0.01 and full["1"].low > 0.1,
        ends[1, "0.01"].high < quarter,
        ends[6, "0.01"].high < quarter,
    )
    return Outcome(verdict, measured, figures, (grid,), SEEDS)
