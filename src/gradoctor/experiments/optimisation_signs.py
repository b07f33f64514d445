"""Rprop, which goes by the signs of gradients alone: with all the data, and with mini-batches."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.optim import SGD, Optimizer, RMSprop, Rprop

from gradoctor.experiments._data import Split, digits
from gradoctor.experiments._judging import LOSS, band, halves, once
from gradoctor.experiments._networks import Stack, generator, xavier
from gradoctor.experiments._training import entropy, mean_loss, train
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Plot
from gradoctor.lab import Outcome, Spread

SEEDS = 5
BATCH = Words("batch size", "批量大小")
Make = Callable[[list[nn.Parameter]], Optimizer]


# ---- claim 26 ------------------------------------------------------------------------------------
SIZES = (1, 4, 16, 64, 256, 1297)
RATES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0, 10.0)
STEPS = 150


def gradient_of(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The gradient of the loss over these inputs, laid flat."""
    loss = nn.functional.cross_entropy(net(x), y)
    found = torch.autograd.grad(loss, [*net.parameters()])
    return torch.cat([part.flatten() for part in found])


def cosines(seed: int, draws: int = 20) -> tuple[list[float], float]:
    """How near gradients of batches of ``SIZES`` come to that of unseen data, after 10 steps.

    Returns:
        the mean cosine of each size, and the 90th over the 10th percentile of the sizes of the
        elements of the full gradient.
    """
    data, chance = digits(), generator(seed, "draws")
    net = Stack(2, "tanh", xavier, width=32, seed=seed)
    train(net, data, SGD(net.parameters(), 0.05), steps=10, seed=seed)
    unseen, found = gradient_of(net, data.test_x, data.test_y), []
    for size in SIZES:
        taken = [torch.randperm(len(data.x), generator=chance)[:size] for _ in range(draws)]
        near = [gradient_of(net, data.x[i], data.y[i]) for i in taken]
        found.append(float(nn.functional.cosine_similarity(torch.stack(near), unseen[None]).mean()))
    full = gradient_of(net, data.x, data.y).abs()
    return found, float(full[full > 0].quantile(0.9) / full[full > 0].quantile(0.1))


def full_batch(make: Callable[..., Optimizer], rate: float, seed: int) -> float:
    """The loss after so many steps on 512 digits, all of them in each step."""
    data = digits()
    few = Split(data.x[:512], data.y[:512], data.test_x, data.test_y)
    net = Stack(2, "tanh", xavier, width=32, seed=seed)
    train(net, few, make(net.parameters(), rate), steps=STEPS, size=512, seed=seed)
    return mean_loss(net, few.x, few.y)


def signs_of_the_full_gradient() -> Outcome:
    """Claim 26.

    Three parts, two tanh layers on the digits, 5 seeds. In every seed the full gradient's cosine
    with that of 500 unseen digits is above the mean cosine of any smaller batch. One rate for all
    is hard to choose: of six from 1e-4 to 10 fewer than half bring gradient descent below a tenth
    of the labels' entropy in 150 full steps in every seed. Rprop suits the full batch: with its
    default first step it ends no higher than gradient descent at its best rate, in every seed.
    """
    seeds, level = range(SEEDS), entropy(digits().y) / 10
    directions = [cosines(seed) for seed in seeds]
    nearer = all(max(run[:-1]) < run[-1] for run, _ in directions)
    ends = {
        name: {rate: [full_batch(make, rate, seed) for seed in seeds] for rate in RATES}
        for name, make in (("GD", SGD), ("Rprop", Rprop))
    }
    good = {name: sum(max(runs) < level for runs in rates.values()) for name, rates in ends.items()}
    best = [min(runs[seed] for runs in ends["GD"].values()) for seed in seeds]
    default = ends["Rprop"][1e-2]
    suits = all(a <= b for a, b in zip(default, best, strict=True))
    near = {b: Spread.of(run[n] for run, _ in directions) for n, b in enumerate(SIZES)}
    range_of = Spread.of(wide for _, wide in directions)
    measured = Words(
        f"Cosine with the gradient of unseen digits: {near[16]} for batches of 16, {near[1297]} "
        f"for all 1297. The 90th percentile of the gradient's elements is {range_of} times the "
        f"10th; of {len(RATES)} rates {good['GD']} make gradient descent learn in {STEPS} steps, "
        f"and {good['Rprop']} first steps Rprop. Rprop's default ends at a loss of "
        f"{Spread.of(default)}, gradient descent at its best rate at {Spread.of(best)}.",
        f"与未见样本梯度的余弦：批量为 16 时 {near[16]}，全部 1297 个样本时 {near[1297]}。"
        f"梯度各分量绝对值的第 90 百分位数是第 10 百分位数的 {range_of} 倍；"
        f"{len(RATES)} 个学习率中，能使梯度下降在 {STEPS} 步内学会的有 {good['GD']} 个，"
        f"能使 Rprop 学会的初始步长有 {good['Rprop']} 个。"
        f"Rprop 取默认值时最终损失为 {Spread.of(default)}，梯度下降取最佳学习率时为 "
        f"{Spread.of(best)}。",
    )
    figures = {f"cosine.{size}": spread for size, spread in near.items()}
    figures |= {f"good.{name}": once(count) for name, count in good.items()}
    figures |= {"loss.gd": Spread.of(best), "loss.rprop": Spread.of(default), "range": range_of}
    verdict = halves(nearer, good["GD"] < len(RATES) / 2, suits)
    return Outcome(verdict, measured, figures, _pictured(directions, ends), SEEDS)


def _pictured(
    directions: list[tuple[list[float], float]], ends: dict[str, dict[float, list[float]]]
) -> tuple[Plot, Plot]:
    labels = {
        "GD": Words("gradient descent", "梯度下降"),
        "Rprop": Words("Rprop, by its first step", "Rprop（横轴为初始步长）"),
    }
    sweep = Plot(
        Words("150 steps with all the data", "全批量训练 150 步"),
        Words("learning rate", "学习率"),
        LOSS,
        tuple(
            band(labels[name], RATES, [*zip(*rates.values(), strict=True)])
            for name, rates in ends.items()
        ),
        log_x=True,
        log_y=True,
    )
    near = Plot(
        Words("A batch's gradient beside that of unseen data", "批梯度与未见样本梯度的接近程度"),
        BATCH,
        Words("cosine", "余弦"),
        (band(Words("two tanh layers", "两层 tanh"), SIZES, [run for run, _ in directions]),),
        log_x=True,
    )
    return sweep, near


# ---- claim 27 ------------------------------------------------------------------------------------
EXAMPLES, FEATURES, NOISE = 1024, 20, 0.5
BATCHES = (4, 16, 64, 256, 1024)
OPTIMIZERS: dict[str, Make] = {
    "Rprop": Rprop, "RMSprop": lambda p: RMSprop(p, 0.01), "SGD": lambda p: SGD(p, 0.02),
}  # fmt: skip


@dataclass(frozen=True)
class Regression:
    """A linear regression with noise, whose least loss is known."""

    x: Tensor
    y: Tensor
    best: Tensor

    @classmethod
    def drawn(cls, seed: int) -> Regression:
        """One of a seed, in float64."""
        chance = generator(seed, "regression")
        x = torch.randn(EXAMPLES, FEATURES, generator=chance, dtype=torch.float64)
        y = x @ torch.randn(FEATURES, generator=chance, dtype=torch.float64)
        y += NOISE * torch.randn(EXAMPLES, generator=chance, dtype=torch.float64)
        return cls(x, y, torch.linalg.lstsq(x, y[:, None]).solution[:, 0])

    def excess(self, weights: Tensor) -> float:
        """The mean square error over all examples, less the least there is."""
        return float((self.x @ (weights - self.best)).square().mean())

    def gradient(self, weights: Tensor, taken: Tensor) -> Tensor:
        """The gradient of the mean square error of some examples."""
        x = self.x[taken]
        return 2 * (x.T @ (x @ weights - self.y[taken])) / len(taken)

    def taken(self, size: int, chance: torch.Generator) -> Tensor:
        """A random batch."""
        return torch.randperm(EXAMPLES, generator=chance)[:size]


def left_over(make: Make, size: int, seed: int, steps: int = 500) -> float:
    """The mean excess loss of the last 50 steps."""
    task, chance = Regression.drawn(seed), generator(seed, "batches")
    weights = nn.Parameter(torch.zeros(FEATURES, dtype=torch.float64))
    optimizer, seen = make([weights]), []
    for step in range(steps):
        weights.grad = task.gradient(weights.detach(), task.taken(size, chance))
        optimizer.step()
        if step >= steps - 50:
            seen.append(task.excess(weights.detach()))
    return sum(seen) / len(seen)


def opposed(size: int, seed: int, draws: int = 200) -> float:
    """How often two batches want to move a weight in opposite directions, at the start."""
    task, chance = Regression.drawn(seed), generator(seed, "pairs")
    start = torch.zeros(FEATURES, dtype=torch.float64)
    signs = torch.stack(
        [task.gradient(start, task.taken(size, chance)).sign() for _ in range(draws)]
    )
    return float((signs[1:] != signs[:-1]).double().mean())


def nine_to_one() -> tuple[float, float]:
    """Where 10 batches with gradients nine times -0.1 and once 0.9 (mean 0) bring a weight.

    Returns:
        by Rprop and by SGD, both with a rate of 0.01.
    """
    ends = []
    for make in (Rprop, SGD):
        weight = nn.Parameter(torch.zeros(1, dtype=torch.float64))
        optimizer = make([weight], 0.01)
        for gradient in [-0.1] * 9 + [0.9]:
            weight.grad = torch.tensor([gradient], dtype=torch.float64)
            optimizer.step()
        ends.append(float(weight.detach()))
    return ends[0], ends[1]


def signs_of_batches() -> Outcome:
    """Claim 27.

    Three parts on a noisy linear regression (1024 examples, float64, 500 steps, 5 seeds). Two
    batches of 4 want opposite moves of a weight in at least a quarter of cases (two full ones never
    do; a coin would in half); Rprop with batches of 4 and of 16 leaves at least ten times the
    excess loss that it leaves with all the data; and RMSprop leaves less than Rprop with the same
    batches. All in every seed.
    """
    seeds = range(SEEDS)
    left = {
        name: {size: [left_over(make, size, seed) for seed in seeds] for size in BATCHES}
        for name, make in OPTIMIZERS.items()
    }
    quarrel = {size: [opposed(size, seed) for seed in seeds] for size in BATCHES}
    spread = {n: {size: Spread.of(v) for size, v in runs.items()} for n, runs in left.items()}
    rprop, rms = spread["Rprop"], spread["RMSprop"]
    disagree = min(quarrel[4]) >= 0.25 and max(quarrel[EXAMPLES]) == 0
    worse = all(rprop[size].low >= 10 * rprop[EXAMPLES].high for size in (4, 16))
    mended = all(rms[size].high < rprop[size].low for size in (4, 16))
    by_sign, by_size = nine_to_one()
    few, many = Spread.of(quarrel[4]), Spread.of(quarrel[256])
    measured = Words(
        f"Excess loss after 500 steps: Rprop {rprop[4]} with batches of 4, {rprop[16]} of 16, "
        f"{rprop[EXAMPLES]} with all data; RMSprop {rms[4]}, {rms[16]} and {rms[EXAMPLES]}. "
        f"Successive batches disagree on a weight's direction in {few} of cases (4 examples) or "
        f"{many} (256). Ten gradients of mean 0, nine of -0.1 and one of 0.9, carry Rprop by "
        f"{by_sign:.3f} and SGD by {abs(by_size):.0e}.",
        f"训练 500 步后高出最小损失的部分：Rprop 在批量为 4 时 {rprop[4]}，16 时 {rprop[16]}，"
        f"全批量时 {rprop[EXAMPLES]}；RMSprop 依次为 {rms[4]}、{rms[16]}、{rms[EXAMPLES]}。"
        f"相邻两批对权重移动方向意见相反的比例：批量 4 时 {few}，256 时 {many}。"
        f"均值为 0 的十个梯度（九个 -0.1、一个 0.9）使 Rprop 移动 {by_sign:.3f}，"
        f"使 SGD 移动 {abs(by_size):.0e}。",
    )
    picture = Plot(
        Words("What 500 steps leave above the least loss", "500 步后高出最小损失的部分"),
        BATCH,
        Words("excess loss", "超额损失"),
        tuple(
            band(name, BATCHES, [*zip(*runs.values(), strict=True)]) for name, runs in left.items()
        ),
        log_x=True,
        log_y=True,
    )
    figures = {f"excess.{n}.{b}": s for n, runs in spread.items() for b, s in runs.items()}
    figures |= {f"opposed.{size}": Spread.of(runs) for size, runs in quarrel.items()}
    figures |= {"nine_to_one.rprop": once(by_sign), "nine_to_one.sgd": once(by_size)}
    return Outcome(halves(disagree, worse, mended), measured, figures, (picture,), SEEDS)
