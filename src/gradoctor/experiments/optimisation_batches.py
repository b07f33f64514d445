"""What the size of a batch changes: the gradient's noise, throughput, memory, steps to a loss."""

from __future__ import annotations

import math
import time
from statistics import median

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.optim import SGD
from torch.utils.data import DataLoader, TensorDataset

from gradoctor.experiments._data import digits
from gradoctor.experiments._judging import STEP, halves, line, once
from gradoctor.experiments._networks import Stack, generator, xavier
from gradoctor.experiments._training import batches, mean_loss, train
from gradoctor.experiments.optimisation_signs import cosines
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Plot
from gradoctor.lab import Outcome, Spread

SEEDS = 5
BATCH = Words("batch size", "批量大小")


def _net(seed: int, steps: int = 10) -> Stack:
    """Two tanh layers, a few steps of SGD from the start."""
    net = Stack(2, "tanh", xavier, width=32, seed=seed)
    train(net, digits(), SGD(net.parameters(), 0.05), steps=steps, seed=seed)
    return net


def gradients(net: nn.Module, x: Tensor, y: Tensor) -> Tensor:
    """The gradient of each example's loss, laid flat: a row each, float64."""

    def loss(parts: dict[str, Tensor], one: Tensor, label: Tensor) -> Tensor:
        logits = functional_call(net, parts, (one[None],))
        return nn.functional.cross_entropy(logits, label[None])

    parts = {name: p.detach() for name, p in net.named_parameters()}
    each = vmap(grad(loss), (None, 0, 0))(parts, x, y)
    return torch.cat([part.flatten(1) for part in each.values()], 1).double()


def noise_scale(each: Tensor) -> float:
    """The simple noise scale tr(Σ)/|G|²: the batch at which noise and gradient are of one size."""
    return float(each.var(0).sum() / each.mean(0).square().sum())


def saved_bytes(net: nn.Module, x: Tensor, y: Tensor) -> int:
    """Memory that a forward pass holds for the backward pass, parameters left out."""
    own = {p.data_ptr() for p in net.parameters()}
    held: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        if tensor.data_ptr() not in own:
            held[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = nn.functional.cross_entropy(net(x), y)
    assert loss.isfinite()  # the graph holds what was counted until here
    return sum(held.values())


# ---- claim 28 ------------------------------------------------------------------------------------
SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


def variances(seed: int, draws: int = 400) -> list[float]:
    """The total variance of the gradient of batches drawn with replacement, by their size."""
    data, chance = digits(), generator(seed, "draws")
    each = gradients(_net(seed), data.x, data.y)
    found = []
    for size in SIZES:
        taken = torch.randint(len(each), (draws, size), generator=chance)
        means = torch.stack([each[row].mean(0) for row in taken])
        found.append(float(means.var(0).sum()))
    return found


def unrest(size: int, seed: int, steps: int = 150) -> float:
    """How much the loss of the training set jumps up and down between two steps, at a rate of 0.2.

    The root mean square of its second differences over the last 50 steps, so that its fall does
    not count.
    """
    data = digits()
    net = Stack(2, "tanh", xavier, width=32, seed=seed)
    run = train(
        net, data, SGD(net.parameters(), 0.2), steps=steps, size=size, seed=seed, every=1,
        watch=lambda: mean_loss(net, data.x, data.y),
    )  # fmt: skip
    return float(np.sqrt(np.mean(np.diff(run.watched[-50:], 2) ** 2)))


def throughput(repeats: int = 9) -> dict[int, float]:
    """Examples a second of processor time in training steps, by batch size; sizes take turns."""
    net, data = Stack(2, "tanh", xavier, width=32), digits()
    optimizer, chance = SGD(net.parameters(), 1e-3), generator(0, "throughput")
    drawn = torch.randint(len(data.x), (8192,), generator=chance)
    x, y = data.x[drawn], data.y[drawn]
    found: dict[int, list[float]] = {size: [] for size in (1, 4, 16, 64, 256, 1024, 2048, 8192)}
    for _ in range(repeats):
        for size, rates in found.items():
            start = time.process_time()
            for _ in range(10):
                optimizer.zero_grad()
                loss = nn.functional.cross_entropy(net(x[:size]), y[:size])
                loss.backward()  # type: ignore[no-untyped-call]
                optimizer.step()
            rates.append(10 * size / (time.process_time() - start))
    return {size: median(rates) for size, rates in found.items()}


def larger_batches() -> Outcome:
    """Claim 28.

    Four parts, two tanh layers on the digits, 5 seeds. Better use of the machine: examples a second
    at least double from a batch of 4 to one of 64. Fewer steps an epoch: those counted until each
    of 1297 examples was seen. Less oscillation: the gradient's variance falls with B at a slope of
    -1 ± 0.1 in log-log, and in every seed the training loss jumps less at B = 128 than at B = 4.
    Within a range: quadrupling 2048 gains less than half of the log-throughput that quadrupling 4
    gains.
    """
    seeds = range(SEEDS)
    noise = [variances(seed) for seed in seeds]
    slope = Spread.of(np.polyfit(np.log(SIZES), np.log(run), 1)[0] for run in noise)
    jumps = {size: Spread.of(unrest(size, seed) for seed in seeds) for size in (4, 32, 128)}
    epoch = {size: epoch_steps(size) for size in (4, 64)}
    speed = throughput()
    calmer = -1.1 < slope.low <= slope.high < -0.9 and jumps[128].high < jumps[4].low
    early, late = (math.log2(speed[b] / speed[a]) / 2 for a, b in ((4, 16), (2048, 8192)))
    measured = Words(
        f"The gradient's variance falls as B to the power {slope}; the loss jumps by {jumps[4]} "
        f"between steps at B = 4, by {jumps[128]} at 128. An epoch takes {epoch[4]} steps at B = 4 "
        f"and {epoch[64]} at 64, where {speed[64] / speed[4]:.0f} times as many examples a second "
        f"go through. Each doubling multiplies that rate by {2**early:.2f} from 4 to 16, by "
        f"{2**late:.2f} from 2048 to 8192.",
        f"梯度方差按 B 的 {slope} 次方下降；相邻步之间损失的跳动，B = 4 时为 {jumps[4]}，"
        f"B = 128 时为 {jumps[128]}。一轮所需步数：B = 4 时 {epoch[4]}，B = 64 时 {epoch[64]}，"
        f"后者每秒处理的样本数是前者的 {speed[64] / speed[4]:.0f} 倍。批量每翻一倍，"
        f"每秒样本数的倍数：4 到 16 之间为 {2**early:.2f}，2048 到 8192 为 {2**late:.2f}。",
    )
    figures = {f"variance.{b}": Spread.of(run[n] for run in noise) for n, b in enumerate(SIZES)}
    figures |= {f"jumps.{size}": spread for size, spread in jumps.items()}
    figures |= {f"examples_a_second.{size}": once(rate) for size, rate in speed.items()}
    figures |= {f"epoch.{size}": once(steps) for size, steps in epoch.items()} | {"slope": slope}
    verdict = halves(speed[64] > 2 * speed[4], epoch[64] < epoch[4], calmer, late < early / 2)
    return Outcome(verdict, measured, figures, _larger(noise, speed), SEEDS)


def epoch_steps(size: int) -> int:
    """Steps until every example has been in a batch once."""
    loader = DataLoader(TensorDataset(digits().x), batch_size=size, shuffle=True)
    return sum(1 for _ in loader)


def _larger(noise: list[list[float]], speed: dict[int, float]) -> tuple[Plot, Plot]:
    ideal = [median(run[0] for run in noise) / size for size in SIZES]
    return (
        Plot(
            Words("The gradient's variance by batch size", "不同批量下梯度的方差"),
            BATCH,
            Words("total variance", "总方差"),
            (
                line(Words("measured", "实测"), SIZES, np.median(noise, axis=0), points=True),
                line("∝ 1/B", SIZES, ideal),
            ),
            log_x=True,
            log_y=True,
        ),
        Plot(
            Words("Training throughput", "训练吞吐量"),
            BATCH,
            Words("examples a second", "每秒样本数"),
            (line(Words("one CPU core", "单个 CPU 核心"), speed, speed.values()),),
            log_x=True,
            log_y=True,
        ),
    )


# ---- claim 29 ------------------------------------------------------------------------------------
TRIED = (4, 16, 64, 256, 1297)
RATES = (0.05, 0.1, 0.2, 0.4, 0.8)
FIXED, LEVEL, CAP = 0.1, 0.5, 150


def steps_to(size: int, rate: float, seed: int) -> float:
    """Steps of SGD until the loss of the training set is at ``LEVEL``; infinite beyond ``CAP``."""
    data = digits()
    net = Stack(2, "tanh", xavier, width=32, seed=seed)
    optimizer, every = SGD(net.parameters(), rate), max(1, 16 // size)
    for step, (x, y) in enumerate(batches(data, size, CAP, seed), 1):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(x), y).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step % every == 0 and mean_loss(net, data.x, data.y) <= LEVEL:
            return step
    return math.inf


def too_large_batches() -> Outcome:
    """Claim 29.

    Four parts, two tanh layers on the digits, SGD to a training loss of 0.5, 5 seeds. Memory: from
    64 to 256 examples what is kept for the backward pass at least trebles. More work for the same
    loss at a fixed rate: from B = 4 to the largest tried below the noise scale tr(Σ)/|G|² (after
    10 steps) the examples needed at least double, in the median. The same with the rate tuned for
    each size. The direction stops improving: the cosine with the gradient of unseen data gains
    less than a third from 256 to 1297 of what it gains at best over a factor of four.
    """
    seeds, data = range(SEEDS), digits()
    scale = Spread.of(noise_scale(gradients(_net(seed), data.x, data.y)) for seed in seeds)
    memory = {b: saved_bytes(_net(0), data.x[:b], data.y[:b]) for b in TRIED}
    steps = {
        size: {rate: median(steps_to(size, rate, seed) for seed in seeds) for rate in RATES}
        for size in TRIED
    }
    fixed = {size: steps[size][FIXED] for size in TRIED}
    tuned = {size: min(steps[size].values()) for size in TRIED}
    near = np.median([cosines(seed)[0] for seed in seeds], axis=0)
    inside = max(size for size in TRIED if size <= scale.middle)
    more = {"fixed": inside * fixed[inside] / (4 * fixed[4])}
    more["tuned"] = inside * tuned[inside] / (4 * tuned[4])
    beyond = 1297 * tuned[1297] / (inside * tuned[inside])
    measured = Words(
        f"The noise scale is {scale}. From B = 4 to {inside}, below it, the examples needed grow "
        f"{more['fixed']:.1f}-fold at a rate of {FIXED}, {more['tuned']:.1f}-fold with tuned rates "
        f"({tuned[4]:g} steps against {tuned[inside]:g}); from {inside} to 1297, tuned, "
        f"{beyond:.0f}-fold ({tuned[1297]:g} steps). The cosine with the gradient of unseen digits "
        f"goes from {near[0]:.2f} (B = 1) to {near[4]:.2f} (256) and {near[5]:.2f} (1297); what is "
        f"kept for the backward pass from {memory[4] / 1024:.0f} KiB (4) to "
        f"{memory[1297] / 1024:.0f} KiB.",
        f"梯度噪声尺度为 {scale}。B 从 4 增到不超过它的 {inside}，达到同一损失所需的样本数："
        f"学习率固定为 {FIXED} 时增至 {more['fixed']:.1f} 倍，"
        f"分别调好学习率时增至 {more['tuned']:.1f} 倍（步数由 {tuned[4]:g} "
        f"变为 {tuned[inside]:g}）；再从 {inside} 增到 1297，即使调好学习率也增至 {beyond:.0f} 倍"
        f"（{tuned[1297]:g} 步）。与未见样本梯度的余弦：B = 1 时 {near[0]:.2f}，"
        f"256 时 {near[4]:.2f}，1297 时 {near[5]:.2f}；"
        f"为反向传播保存的数据由 {memory[4] / 1024:.0f} KiB 增至 {memory[1297] / 1024:.0f} KiB。",
    )
    figures = {"noise_scale": scale, "beyond": once(beyond)}
    for name, found in (("tuned", tuned), ("fixed", fixed)):
        figures |= {f"steps.{name}.{size}": once(n) for size, n in found.items()}
    figures |= {f"bytes.{size}": once(held) for size, held in memory.items()}
    figures |= {f"more.{name}": once(factor) for name, factor in more.items()}
    verdict = halves(
        memory[256] >= 3 * memory[64], more["fixed"] >= 2, more["tuned"] >= 2,
        np.diff(near)[-1] < max(np.diff(near)) / 3,
    )  # fmt: skip
    return Outcome(verdict, measured, figures, _too_large(fixed, tuned), SEEDS)


def _too_large(fixed: dict[int, float], tuned: dict[int, float]) -> tuple[Plot, Plot]:
    runs = (
        (Words(f"rate {FIXED}", f"学习率 {FIXED}"), fixed),
        (Words("rate tuned for each size", "学习率逐一调好"), tuned),
    )
    return (
        Plot(
            Words("Examples needed for a loss of 0.5", "损失降到 0.5 所需的样本数"),
            BATCH,
            Words("examples", "样本数"),
            tuple(line(label, f, (b * n for b, n in f.items())) for label, f in runs),
            log_x=True,
            log_y=True,
        ),
        Plot(
            Words("Steps needed for a loss of 0.5", "损失降到 0.5 所需的步数"),
            BATCH,
            STEP,
            tuple(line(label, found, found.values()) for label, found in runs),
            log_x=True,
            log_y=True,
        ),
    )
