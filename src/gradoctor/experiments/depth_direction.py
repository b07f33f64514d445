"""Which way gradients go, what deep and shallow mean, and what stands still in twenty sigmoids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradoctor.experiments._data import digits
from gradoctor.experiments._judging import LAYER, LOSS, STEP, band, halves, line
from gradoctor.experiments._networks import Stack, generator, rms, scaled, usual
from gradoctor.experiments._training import accuracy, entropy, snapshot, train
from gradoctor.experiments.depth_products import unexplained
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Plot
from gradoctor.lab import Outcome, Spread

DEPTH, SEEDS = 20, 5


@dataclass(frozen=True)
class Pass:
    """One forward and backward pass: the layers in the order their hooks fired."""

    forward: tuple[int, ...]
    backward: tuple[int, ...]
    sizes: tuple[float, ...]
    early: int
    """Parameters that had a gradient when the forward pass ended."""


def watched_pass(seed: int) -> Pass:
    """A 20-layer sigmoid with a hook on each layer."""
    data = digits()
    net = Stack(DEPTH, "sigmoid", usual, seed=seed)
    there: list[int] = []
    back: list[int] = []
    sizes: list[float] = []
    for number, block in enumerate(net.blocks, 1):

        def forward(_: nn.Module, __: Any, ___: Any, number: int = number) -> None:
            there.append(number)

        def backward(_: nn.Module, __: Any, grads: Sequence[Tensor], number: int = number) -> None:
            back.append(number)
            sizes.append(rms(grads[0]))

        block.register_forward_hook(forward)
        block.register_full_backward_hook(backward)
    x = data.x[:128].clone().requires_grad_()  # or the first layer's hook has nothing to see
    loss = nn.functional.cross_entropy(net(x), data.y[:128])
    early = sum(p.grad is not None for p in net.parameters())
    loss.backward()  # type: ignore[no-untyped-call]
    return Pass(tuple(there), tuple(back), tuple(sizes), early)


def forward_or_backward() -> Outcome:
    """Claim 5.

    Two halves, in a 20-layer sigmoid with hooks (5 seeds). That gradients belong to the forward
    pass: a parameter has one when it ends. That they shrink in its order: towards the output.
    """
    runs = [watched_pass(seed) for seed in range(SEEDS)]
    early = sum(run.early for run in runs)
    ordered = [[size for _, size in sorted(zip(r.backward, r.sizes, strict=True))] for r in runs]
    with_forward = all(a > b for sizes in ordered for a, b in pairwise(sizes))
    shrink = Spread.of(run.sizes[-1] / run.sizes[0] for run in runs)
    first, last = runs[0].backward[0], runs[0].backward[-1]
    measured = Words(
        f"When the forward pass ended, {early} parameters had a gradient. The backward hooks fired "
        f"from layer {first} down to layer {last}, and on that way the gradient shrank to {shrink} "
        f"of its size.",
        f"前向传播结束时，有梯度的参数个数为 {early}。反向钩子从第 {first} 层依次触发到第 {last} "
        "层，"
        f"沿途梯度缩小到原来的 {shrink}。",
    )
    picture = Plot(
        Words("The gradient in the order in which hooks fired", "按钩子触发顺序排列的梯度"),
        Words("hooks that have fired", "反向钩子的触发次序"),
        Words("rms of the gradient", "梯度均方根"),
        (band("sigmoid", range(1, DEPTH + 1), [run.sizes for run in runs]),),
        log_y=True,
    )  # fmt: skip
    figures = {"early": Spread.of([early]), "shrink": shrink}
    return Outcome(halves(early > 0, with_forward), measured, figures, (picture,), SEEDS)


def shallow_and_deep() -> Outcome:
    """Claim 6.

    How deep a layer is, is how much has been composed before it: the share of its output that no
    affine function of the input explains (tanh, σ_w = 1.5, 10 layers, 5 seeds). True when that
    share falls from the input to the output in every seed; false when it rises; else partly.
    """
    runs = []
    for seed in range(SEEDS):
        x = torch.randn(3000, 24, generator=generator(seed), dtype=torch.float64)
        net = Stack(10, "tanh", scaled(1.5), inputs=24, seed=seed, dtype=torch.float64)
        with torch.no_grad():
            runs.append([unexplained(x, state) for state in net.states(x)[1:]])
    rises = [b > a for run in runs for a, b in pairwise(run)]
    low, high = Spread.of(run[0] for run in runs), Spread.of(run[-1] for run in runs)
    measured = Words(
        f"Next to the input {low} of a layer's output is out of reach of an affine map, next to "
        f"the output {high}; it rises at {sum(rises)} of {len(rises)} steps from layer to layer.",
        f"靠近输入的层，其输出中有 {low} 无法用输入的仿射映射解释；靠近输出的层为 {high}。"
        f"逐层比较 {len(rises)} 次，其中 {sum(rises)} 次上升。",
    )
    picture = Plot(
        Words("How much has been composed", "各层复合的程度"),
        LAYER,
        Words("share no affine map explains", "仿射映射无法解释的占比"),
        (band("tanh", range(1, 11), runs),),
    )
    figures = {"left.first": low, "left.last": high}
    return Outcome(halves(not all(rises), not any(rises)), measured, figures, (picture,), SEEDS)


# ---- twenty sigmoids in training -----------------------------------------------------------------
@dataclass(frozen=True)
class Learnt:
    """A training of a stack: its losses, how far each matrix moved, how well it did."""

    losses: tuple[float, ...]
    moved: tuple[float, ...]
    accuracy: float


def _learnt(net: Stack, seed: int, frozen: int = 0) -> Learnt:
    """Train by plain SGD, the first few layers frozen."""
    data = digits()
    for block in net.blocks[:frozen]:
        block.requires_grad_(False)
    free = [p for p in net.parameters() if p.requires_grad]
    before = snapshot(net)
    run = train(net, data, SGD(free, 0.5), steps=300, seed=seed)
    moves = [
        rms(now - then) / rms(then)
        for now, then in zip(net.parameters(), before, strict=True)
        if then.dim() == 2
    ]
    return Learnt(run.losses, tuple(moves), accuracy(net, data.test_x, data.test_y))


def near_the_output() -> Outcome:
    """Claim 7.

    Two halves, in a 20-layer sigmoid that learns the digits by SGD at 0.5 for 300 steps, 5 seeds.
    The first matrix moves less than a millionth as far (relative to its size) as the last hidden
    one. And with the first ten layers frozen, the losses are the same to 0.001 at every step.
    """
    data = digits()
    deep = [_learnt(Stack(DEPTH, "sigmoid", usual, seed=s), s) for s in range(SEEDS)]
    half = [_learnt(Stack(DEPTH, "sigmoid", usual, seed=s), s, frozen=10) for s in range(SEEDS)]
    flat = [_learnt(Stack(2, "sigmoid", usual, seed=s), s) for s in range(SEEDS)]
    first = Spread.of(run.moved[0] for run in deep)
    last = Spread.of(run.moved[DEPTH - 1] for run in deep)
    head = Spread.of(run.moved[-1] for run in deep)
    apart = Spread.of(
        max(abs(a - b) for a, b in zip(x.losses, y.losses, strict=True))
        for x, y in zip(deep, half, strict=True)
    )
    end = Spread.of(sum(run.losses[-50:]) / 50 for run in deep)
    right = Spread.of(run.accuracy for run in deep)
    shallow = Spread.of(run.accuracy for run in flat)
    chance = entropy(data.y)
    measured = Words(
        f"Relative to their size the first matrix moved by {first}, the last hidden one by {last}, "
        f"the head's by {head}. With the first ten layers frozen no loss differed by more than "
        f"{apart.high:.1g}. The loss ended at {end}; the entropy of the labels is {chance:.3f}, "
        f"and accuracy was {right}. Two sigmoid layers on the pixels reached {shallow}.",
        f"各矩阵的相对移动量：首层 {first}，最后一个隐藏层 {last}，输出层 {head}。冻结前十层后，"
        f"任一步的损失相差不超过 {apart.high:.1g}。最终损失为 {end}，而标签的熵为 {chance:.3f}；"
        f"准确率为 {right}。直接在像素上训练的两层 sigmoid 网络达到 {shallow}。",
    )
    figures = {"moved.first": first, "moved.last": last, "moved.head": head, "apart": apart}
    figures |= {"loss": end, "accuracy.deep": right, "accuracy.shallow": shallow}
    verdict = halves(first.high < 1e-6 * last.low, apart.high < 1e-3)
    return Outcome(verdict, measured, figures, _drawn(deep, half, flat, chance), SEEDS)


def _drawn(
    deep: list[Learnt], half: list[Learnt], flat: list[Learnt], chance: float
) -> tuple[Plot, Bars]:
    steps = range(0, 300, 5)
    labels = (Words("20 layers", "20 层"), Words("first ten frozen", "冻结前十层"))
    runs = dict(zip((*labels, Words("2 layers", "2 层")), (deep, half, flat), strict=True))
    losses = Plot(
        Words("Twenty sigmoid layers under SGD", "SGD 训练下的 20 层 sigmoid 网络"),
        STEP,
        LOSS,
        (
            *(band(label, steps, [r.losses[::5] for r in found]) for label, found in runs.items()),
            line(Words("entropy of the labels", "标签的熵"), steps, [chance] * len(steps)),
        ),
    )
    shown = (1, 5, 10, 15, 18, 20)
    bars = Bars(
        Words("How far each matrix moved", "各权重矩阵的相对移动量"),
        tuple(Words(f"layer {n}", f"第 {n} 层") for n in shown),
        tuple(Spread.of(run.moved[n - 1] for run in deep).middle for n in shown),
        Words("relative to its size", "相对于自身大小"),
    )
    return losses, bars
