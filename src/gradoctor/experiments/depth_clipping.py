"""What clipping and weight decay do against gradients that explode."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.optim import SGD

from gradoctor.experiments._data import digits
from gradoctor.experiments._judging import halves, line, once
from gradoctor.experiments._networks import Stack, flow, generator, scaled
from gradoctor.experiments._training import entropy, train
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Grid, Plot
from gradoctor.lab import Outcome, Spread


def clipped(gradient: Tensor) -> Tensor:
    """A gradient after ``clip_grad_norm_`` with a bound of 1."""
    parameter = nn.Parameter(torch.zeros_like(gradient))
    parameter.grad = gradient.clone()
    nn.utils.clip_grad_norm_([parameter], 1.0)
    return parameter.grad


def clipped_norm() -> Outcome:
    """Claim 42.

    True when, for 200 random gradients of norms from 1e-6 to 1e12, the norm after clipping is at
    most 1 + 1e-6, the direction is kept (cosine above 1 - 1e-6), and those below 1 are left as
    they were. One infinite element is measured beside it.
    """
    chance = generator(0)
    given, got, cosines, untouched = [], [], [], []
    for size in torch.logspace(-6, 12, 200).tolist():
        gradient = torch.randn(50, generator=chance)
        gradient *= size / gradient.norm()
        after = clipped(gradient)
        given.append(float(gradient.norm()))
        got.append(float(after.norm()))
        cosines.append(float(nn.functional.cosine_similarity(gradient, after, 0, 1e-30)))
        if size < 0.99:
            untouched.append(torch.equal(gradient, after))
    example = clipped(torch.tensor([1.0, 3.0, 0.0]))
    infinite = clipped(torch.tensor([math.inf, 1.0, 2.0]))
    nan, zero = int(infinite.isnan().sum()), int((infinite == 0).sum())
    holds = max(got) <= 1 + 1e-6 and min(cosines) > 1 - 1e-6 and all(untouched)
    measured = Words(
        f"Of 200 finite gradients the largest norm after clipping is {max(got):.7f}, and the "
        f"direction is kept (cosine at least {min(cosines):.7f}); (1, 3, 0) goes from "
        f"{math.sqrt(10):.3f} to {float(example.norm()):.4f}. (inf, 1, 2) becomes {nan} NaN and "
        f"{zero} zeros.",
        f"200 个有限梯度裁剪后的最大范数为 {max(got):.7f}，方向不变（余弦至少 {min(cosines):.7f}）"
        "；"
        f"(1, 3, 0) 的范数由 {math.sqrt(10):.3f} 变为 {float(example.norm()):.4f}。"
        f"而 (inf, 1, 2) 裁剪后有 {nan} 个 NaN 和 {zero} 个 0。",
    )
    picture = Plot(
        Words("The norm before and after clipping at 1", "以 1 为界裁剪前后的梯度范数"),
        Words("norm before", "裁剪前的范数"),
        Words("norm after", "裁剪后的范数"),
        (line("clip_grad_norm_(…, 1.0)", given, got),),
        log_x=True,
        log_y=True,
    )
    figures = {"largest": once(max(got)), "cosine": once(min(cosines))}
    figures |= {"infinite.nan": once(nan), "infinite.zero": once(zero)}
    return Outcome(halves(holds), measured, figures, (picture,))


# ---- weight decay --------------------------------------------------------------------------------
DECAYS = (0.0, 1e-4, 1e-2, 1.0)
SCALES = (1.0, 1.25, 1.5, 2.0)
SEEDS, STEPS = 5, 200


def _stack(scale: float, seed: int) -> Stack:
    return Stack(20, "relu", scaled(scale * math.sqrt(2)), seed=seed)


def _learnt(scale: float, decay: float) -> int:
    """In how many seeds the loss falls below half the entropy of the labels."""
    data, count = digits(), 0
    for seed in range(SEEDS):
        net = _stack(scale, seed)
        optimizer = SGD(net.parameters(), 0.01, weight_decay=decay)
        run = train(net, data, optimizer, steps=STEPS, seed=seed)
        count += run.lowest() < entropy(data.y) / 2
    return count


def _bound(net: Stack) -> float:
    """log2 of the product of the hidden matrices' norms: no gradient grows by more."""
    norms = (torch.linalg.matrix_norm(m.weight.detach(), 2) for m in net.linears()[:-1])
    return sum(float(norm.log2()) for norm in norms)


def _bound_grown(decay: float, seed: int) -> float:
    """How many bits that bound gains in 400 steps from He's scale."""
    net = _stack(1.0, seed)
    before = _bound(net)
    optimizer = SGD(net.parameters(), 0.02, weight_decay=decay)
    train(net, digits(), optimizer, steps=400, seed=seed)
    return _bound(net) - before


def _grown(scale: float, seed: int) -> float:
    """The gradient at the first hidden layer over that at the last, before training."""
    data = digits()
    found = flow(_stack(scale, seed).double(), data.x[:128].double(), data.y[:128])
    return found.gradient[0] / found.gradient[-1]


def decay_against_explosion() -> Outcome:
    """Claim 43.

    Two halves, 20 ReLU layers, SGD on the digits, 5 seeds. As a cure: at 1.25, 1.5 or 2 times He's
    scale a usual decay (1e-4 or 1e-2) makes at least three seeds learn that do not without. As
    prevention: over 400 steps from He's scale the product of the matrices' norms, which bounds the
    gradient's growth, ends lower with a decay of 1e-2 than without in every seed.
    """
    seeds = range(SEEDS)
    grown = Spread.of(_grown(2.0, seed) for seed in seeds)
    table = {scale: {decay: _learnt(scale, decay) for decay in DECAYS} for scale in SCALES}
    cured = max(table[s][d] - table[s][0.0] for s in SCALES[1:] for d in (1e-4, 1e-2))
    bare, kept = ([_bound_grown(decay, seed) for seed in seeds] for decay in (0.0, 1e-2))
    prevents = all(b < a for a, b in zip(bare, kept, strict=True))
    learnt = {d: sum(table[s][d] for s in SCALES[1:]) for d in DECAYS}
    said = ", ".join(f"λ = {d:g}: {n}" for d, n in learnt.items())
    measured = Words(
        f"At twice He's scale the gradient grows by {grown} before the first step, when decay has "
        f"done nothing yet. Of {3 * SEEDS} runs above He's scale these learn: {said}; at "
        f"He's scale {table[1.0][0.0]} of {SEEDS} without. Over 400 steps from He's scale the "
        f"bound on growth changes by {Spread.of(bare)} bits without decay, {Spread.of(kept)} with "
        f"1e-2.",
        f"在两倍 He 尺度下，第一步更新之前梯度就已放大 {grown} 倍，权重衰减还来不及起作用。"
        f"超过 He 尺度的 {3 * SEEDS} 次训练中，学会的次数：{said}（λ 为衰减系数）；"
        f"He 尺度且无衰减时 {SEEDS} 次中有 {table[1.0][0.0]} 次学会。从 He 尺度训练 400 步后，"
        f"梯度放大倍数的上界变化：无衰减 {Spread.of(bare)} 比特，衰减 1e-2 时 {Spread.of(kept)} "
        "比特。",
    )
    grid = Grid(
        Words("Seeds (of 5) that learn", "学会的种子数（共 5 个）"),
        tuple(Words.same(f"He × {s:g}") for s in SCALES),
        tuple(Words(f"decay {d:g}", f"衰减 {d:g}") for d in DECAYS),
        tuple(tuple(float(n) for n in row.values()) for row in table.values()),
    )
    figures = {
        f"learnt.he_{s:g}.{d:g}": once(n) for s, row in table.items() for d, n in row.items()
    }
    figures |= {"grown": grown, "bound.bare": Spread.of(bare), "bound.decay": Spread.of(kept)}
    return Outcome(halves(cured >= 3, prevents), measured, figures, (grid,), SEEDS)
