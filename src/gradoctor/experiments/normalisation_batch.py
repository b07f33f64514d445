"""What batch norm is said to bring: regularisation, any learning rate, and a gain by shuffling."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradoctor.experiments._data import Split, digits
from gradoctor.experiments._judging import LOSS, band, halves, once
from gradoctor.experiments._networks import HE, Stack, generator
from gradoctor.experiments._training import accuracy, entropy, train
from gradoctor.experiments.normalisation_inputs import cnn_accuracy
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Grid, Plot
from gradoctor.lab import Outcome, Spread

SEEDS = 5
Norm = Callable[[int], nn.Module] | None
NORMS: dict[str, Norm] = {"plain": None, "bn": nn.BatchNorm1d}
SAID = {
    "plain": Words("without batch norm", "无批归一化"),
    "bn": Words("with batch norm", "有批归一化"),
}


# ---- claims 33 and 34: which rates work ----------------------------------------------------------
RATES = (1e-4, 1e-3, 1e-2, 1e-1, 0.3, 1.0, 3.0, 10.0)


def final_loss(norm: Norm, rate: float, seed: int, steps: int = 250) -> float:
    """The mean loss of the last 20 steps of SGD in 5 ReLU layers; infinite when it failed."""
    data = digits()
    net = Stack(5, "relu", HE, seed=seed, norm=norm)
    run = train(net, data, SGD(net.parameters(), rate), steps=steps, seed=seed)
    return math.inf if run.failed else sum(run.losses[-20:]) / 20


def learns(losses: list[float]) -> bool:
    """Every seed has halved the loss of knowing only the labels' shares."""
    return max(losses) < entropy(digits().y) / 2


def any_rate() -> Outcome:
    """Claim 34.

    Three parts, 5 ReLU layers on the digits, 250 steps of SGD, 5 seeds. A rate works when every
    seed halves the entropy of the labels. Batch norm widens the range: the largest of eight rates
    from 1e-4 to 10 that works is at least three times that without. Small rates will do: 1e-4 and
    1e-3 work with it. Large ones will do: 3 and 10 work with it.
    """
    ends = {
        name: {rate: [final_loss(norm, rate, seed) for seed in range(SEEDS)] for rate in RATES}
        for name, norm in NORMS.items()
    }
    good = {name: [r for r, runs in rates.items() if learns(runs)] for name, rates in ends.items()}
    told = {name: ", ".join(f"{rate:g}" for rate in rates) for name, rates in good.items()}
    figures = {
        f"loss.{name}.{rate:g}": Spread.of(runs)
        for name, rates in ends.items()
        for rate, runs in rates.items()
        if all(map(math.isfinite, runs))
    }
    measured = Words(
        f"Of {len(RATES)} rates from 1e-4 to 10 these work without batch norm: {told['plain']}; "
        f"with "
        f"it: {told['bn']}. With it the loss after 250 steps is {figures['loss.bn.0.0001']} at "
        f"1e-4 "
        f"and {figures['loss.bn.10']} at 10; guessing gives {entropy(digits().y):.2f}.",
        f"从 1e-4 到 10 的 {len(RATES)} 个学习率中，无批归一化时可用的有 {told['plain']}；加入后"
        f"为 {told['bn']}。"
        f"加入后训练 250 步的损失：学习率 1e-4 时 {figures['loss.bn.0.0001']}，10 时 "
        f"{figures['loss.bn.10']}；"
        f"随机猜测为 {entropy(digits().y):.2f}。",
    )
    figures |= {f"largest.{name}": once(max(rates, default=0.0)) for name, rates in good.items()}
    wider = max(good["bn"], default=0) >= 3 * max(good["plain"], default=0) > 0
    small, large = ({*pair} <= {*good["bn"]} for pair in ((1e-4, 1e-3), (3.0, 10.0)))
    return Outcome(halves(wider, small, large), measured, figures, (_by_rate(ends),), SEEDS)


def _by_rate(ends: dict[str, dict[float, list[float]]]) -> Plot:
    return Plot(
        Words("Loss after 250 steps; a gap is a failure", "250 步后的损失（缺口表示训练失败）"),
        Words("learning rate", "学习率"),
        LOSS,
        tuple(
            band(
                SAID[name],
                RATES,
                [[_drawn(v) for v in run] for run in zip(*rates.values(), strict=True)],
            )
            for name, rates in ends.items()
        ),
        log_x=True,
        log_y=True,
    )


def _drawn(loss: float) -> float:
    return loss if math.isfinite(loss) else math.nan


# ---- claim 33 ------------------------------------------------------------------------------------
REMEDIES: dict[str, tuple[Norm, float, float]] = {
    "nothing": (None, 0.0, 0.0),
    "dropout": (None, 0.5, 0.0),
    "L2": (None, 0.0, 1e-2),
    "dropout + L2": (None, 0.5, 1e-2),
    "BN": (nn.BatchNorm1d, 0.0, 0.0),
    "BN + dropout": (nn.BatchNorm1d, 0.5, 0.0),
}
UNNORMED = ("dropout", "L2", "dropout + L2")
NOTHING = Words("nothing", "什么都不加")
TASKS = {"clean": 0.0, "noisy": 0.3}
POINT = 0.005
"""Accuracy that counts as no loss: half a percentage point."""


def few_digits(wrong: float, seed: int, count: int = 300) -> Split:
    """A few digits, a share of them with labels drawn anew."""
    data, chance = digits(), generator(seed, "few")
    taken = torch.randperm(len(data.x), generator=chance)[:count]
    labels, spoilt = data.y[taken].clone(), int(wrong * count)
    labels[:spoilt] = torch.randint(10, (spoilt,), generator=chance)
    return Split(data.x[taken], labels, data.test_x, data.test_y)


def tested(remedy: str, wrong: float, seed: int) -> float:
    """Accuracy on unseen digits, after 400 steps on few."""
    norm, p, decay = REMEDIES[remedy]
    data = few_digits(wrong, seed)
    net = Stack(2, lambda: nn.Sequential(nn.ReLU(), nn.Dropout(p)), HE, seed=seed, norm=norm)
    optimizer = SGD(net.parameters(), 0.1, weight_decay=decay)
    train(net, data, optimizer, steps=400, size=32, seed=seed)
    return accuracy(net, data.test_x, data.test_y)


def in_place_of_others() -> Outcome:
    """Claim 33.

    Four parts, 5 seeds, medians. Batch norm replaces dropout and L2: with it alone two ReLU layers
    trained on 300 digits are at most 0.5 points of test accuracy below the best of dropout, L2 and
    both, (1) with clean labels, (2) with 30 % of the labels drawn anew. (3) It allows large rates:
    5 ReLU layers learn with it at a rate of 3 in every seed, without it at 1 in none.
    (4) It replaces LRN: a small CNN is with it at most 0.5 points below one with LRN.
    """
    seeds = range(SEEDS)
    found = {
        (remedy, task): Spread.of(tested(remedy, wrong, seed) for seed in seeds)
        for remedy in REMEDIES
        for task, wrong in TASKS.items()
    }
    best = {
        task: max((found[remedy, task] for remedy in UNNORMED), key=lambda spread: spread.middle)
        for task in TASKS
    }
    cnn = {norm: Spread.of(cnn_accuracy(norm, s) for s in seeds) for norm in ("LRN", "batch norm")}
    fast = [final_loss(nn.BatchNorm1d, 3.0, seed) for seed in seeds]
    without = [final_loss(None, 1.0, seed) for seed in seeds]
    bn = {task: found["BN", task] for task in TASKS}
    measured = Words(
        f"Test accuracy with clean labels: nothing {found['nothing', 'clean']}, the best of "
        f"dropout "
        f"and L2 {best['clean']}, batch norm {bn['clean']}; with 30 % of labels "
        f"drawn anew "
        f"{found['nothing', 'noisy']}, {best['noisy']} and {bn['noisy']}. At a rate of 3, 5 layers "
        f"with batch norm end at a loss of {Spread.of(fast)}; without it "
        f"{sum(not learns([loss]) for loss in without)} of {SEEDS} fail at 1. CNN: LRN "
        f"{cnn['LRN']}, batch norm {cnn['batch norm']}.",
        f"标签正确时的测试准确率：什么都不加 {found['nothing', 'clean']}，dropout 与 L2 中最好的 "
        f"{best['clean']}，"
        f"批归一化 {bn['clean']}；30% 的标签随机重抽时依次为 {found['nothing', 'noisy']}、"
        f"{best['noisy']}、{bn['noisy']}。"
        f"学习率为 3 时，5 层网络加批归一化的最终损失为 {Spread.of(fast)}；不加时学习率取 1，"
        f"{SEEDS} 次中有 "
        f"{sum(not learns([loss]) for loss in without)} 次失败。CNN：LRN {cnn['LRN']}，批归一化 "
        f"{cnn['batch norm']}。",
    )
    figures = {f"accuracy.{remedy}.{task}": spread for (remedy, task), spread in found.items()}
    figures |= {f"accuracy.cnn.{norm}": spread for norm, spread in cnn.items()}
    figures |= {"loss.bn.rate_3": Spread.of(fast)}
    verdict = halves(
        *(bn[task].middle >= best[task].middle - POINT for task in TASKS),
        learns(fast) and not any(learns([loss]) for loss in without),
        cnn["batch norm"].middle >= cnn["LRN"].middle - POINT,
    )
    return Outcome(verdict, measured, figures, (_by_remedy(found),), SEEDS)


def _by_remedy(found: dict[tuple[str, str], Spread]) -> Grid:
    return Grid(
        Words("Test accuracy after training on 300 digits", "用 300 个手写数字训练后的测试准确率"),
        tuple(Words.same(remedy) if remedy != "nothing" else NOTHING for remedy in REMEDIES),
        (Words("labels right", "标签正确"), Words("30 % drawn anew", "30% 标签随机重抽")),
        tuple(tuple(found[remedy, task].middle for task in TASKS) for remedy in REMEDIES),
        Words("accuracy", "准确率"),
    )


# ---- claim 35 ------------------------------------------------------------------------------------
KINDS = {
    "anew": Words("shuffled each epoch", "每轮重新打乱"),
    "fixed": Words("the same batches", "每批组成固定"),
    "class": Words("sorted by class", "按类别排序"),
}
BATCHES = (8, 32)


def order(kind: str, size: int, epochs: int, seed: int) -> Iterator[Tensor]:
    """Which examples make up each batch; the batches of an epoch come in random order."""
    chance, labels = generator(seed, "order"), digits().y
    count = len(labels) // size * size
    first = torch.randperm(len(labels), generator=chance)[:count]
    if kind == "class":
        first = first[labels[first].argsort(stable=True)]
    for _ in range(epochs):
        if kind == "anew":
            first = torch.randperm(len(labels), generator=chance)[:count]
        groups = first.view(-1, size)
        yield from groups[torch.randperm(len(groups), generator=chance)]


def after_order(norm: Norm, kind: str, size: int, seed: int) -> float:
    """Test accuracy of two ReLU layers after 6 epochs of SGD with batches made up in a way."""
    data = digits()
    net = Stack(2, "relu", HE, seed=seed, norm=norm)
    optimizer = SGD(net.parameters(), 0.1)
    for taken in order(kind, size, 6, seed):
        optimizer.zero_grad()
        nn.functional.cross_entropy(net(data.x[taken]), data.y[taken]).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return accuracy(net, data.test_x, data.test_y)


def make_up_of_batches() -> Outcome:
    """Claim 35.

    Two halves, two ReLU layers with batch norm on the digits, batches of 8 and of 32, 5 seeds.
    Shuffling matters: in every seed, at both sizes, accuracy is higher with examples shuffled each
    epoch than with batches sorted by class. It is worth about one point: against batches sorted by
    class, and against batches drawn once and kept, both sizes, the median is 0.3 to 3 points
    higher. Batches of 8 without batch norm are measured beside it.
    """
    seeds = range(SEEDS)
    found = {
        (name, size, kind): Spread.of(after_order(NORMS[name], kind, size, seed) for seed in seeds)
        for name, size in (("bn", 8), ("bn", 32), ("plain", 8))
        for kind in KINDS
    }
    lost = {
        (size, kind): 100 * (found["bn", size, "anew"].middle - found["bn", size, kind].middle)
        for size in BATCHES
        for kind in ("fixed", "class")
    }
    plain = 100 * (found["plain", 8, "anew"].middle - found["plain", 8, "class"].middle)
    measured = Words(
        f"With batch norm, accuracy lost against shuffling each epoch: the same batches each epoch "
        f"{lost[8, 'fixed']:.1f} points (batches of 8) and {lost[32, 'fixed']:.1f} (32); batches "
        f"sorted by class {lost[8, 'class']:.0f} and {lost[32, 'class']:.0f}. Without batch norm "
        f"sorted batches of 8 lose {plain:.1f}.",
        f"有批归一化时，与每轮重新打乱相比，准确率的损失：每批组成固定时为 "
        f"{lost[8, 'fixed']:.1f} 个百分点（批量 8）和 "
        f"{lost[32, 'fixed']:.1f} 个百分点（批量 32）；按类别排序成批时为 {lost[8, 'class']:.0f} "
        f"和 "
        f"{lost[32, 'class']:.0f} 个百分点。无批归一化时，按类别排序（批量 8）只损失 {plain:.1f} "
        f"个百分点。",
    )
    rows = {("bn", 8): "BN, B = 8", ("bn", 32): "BN, B = 32", ("plain", 8): "B = 8"}
    grid = Grid(
        Words("Test accuracy by how batches are made up", "不同组批方式下的测试准确率"),
        tuple(Words.same(label) for label in rows.values()),
        tuple(KINDS.values()),
        tuple(tuple(found[(*row, kind)].middle for kind in KINDS) for row in rows),
        Words("accuracy", "准确率"),
    )
    figures = {".".join(map(str, key)): spread for key, spread in found.items()}
    figures |= {f"lost.{size}.{kind}": once(points) for (size, kind), points in lost.items()}
    matters = all(found["bn", b, "class"].high < found["bn", b, "anew"].low for b in BATCHES)
    verdict = halves(matters, all(0.3 <= p <= 3 for p in lost.values()))
    return Outcome(verdict, measured, figures, (grid,), SEEDS)
