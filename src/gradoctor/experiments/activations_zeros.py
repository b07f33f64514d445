"""How often a pre-activation is exactly 0, and what an activation costs."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from statistics import median

import torch
from torch import Tensor, nn

from gradoctor.experiments._data import digits
from gradoctor.experiments._judging import halves, same
from gradoctor.experiments._networks import ACTIVATIONS, HE, Stack, generator, spread, usual
from gradoctor.experiments._training import seeded
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars
from gradoctor.lab import Outcome, Spread

# ---- exact zeros --------------------------------------------------------------------------------
SEEDS = 5
RARE = 1e-6


def _random(seed: int) -> Tensor:
    """Two million pre-activations: noise through a layer with PyTorch's own weights and biases."""
    net = Stack(1, "relu", usual, width=512, seed=seed, biases=spread(0.05))
    out: Tensor = net.linears()[0](torch.randn(4096, 64, generator=generator(seed)))
    return out


def _blank(seed: int) -> Tensor:
    """Pixels as they are (background 0) through small filters without bias, on the digits."""
    raw = digits().x - digits().x.min()
    filters = torch.randn(16, 1, 3, 3, generator=generator(seed))
    return torch.nn.functional.conv2d(raw[:200].reshape(-1, 1, 8, 8), filters, padding=1)


def _dead_layer(seed: int) -> Tensor:
    """The third layer of narrow ReLU layers without biases."""
    net = Stack(3, "relu", HE, width=4, seed=seed)
    out: Tensor = net.linears()[2](net.states(digits().x)[2])
    return out


def _dropped(seed: int) -> Tensor:
    """What an activation after dropout is given."""
    with seeded(seed):
        return nn.functional.dropout(_random(seed), 0.5)


def _zero_weights(seed: int) -> Tensor:
    net = Stack(1, "relu", spread(0.0), seed=seed)
    out: Tensor = net.linears()[0](digits().x)
    return out


SOURCES: dict[str, tuple[Words, Callable[[int], Tensor]]] = {
    "random": (Words("random layer, float32", "随机层，float32"), _random),
    "blank": (Words("blank pixels, no bias", "空白像素，无偏置"), _blank),
    "narrow": (Words("narrow ReLU layers, no bias", "窄 ReLU 层，无偏置"), _dead_layer),
    "dropout": (Words("after dropout 0.5", "dropout 0.5 之后"), _dropped),
    "zero": (Words("weights drawn as 0", "权重初始化为 0"), _zero_weights),
}


def exactly_zero() -> Outcome:
    """Claim 49.

    Two halves, 5 seeds: fewer than one in a million is exactly 0 among ten million float32
    pre-activations of a random layer with biases (2 million a seed); and the same holds in every
    one of four ordinary cases: blank pixels without bias, narrow ReLU layers without bias, after
    dropout, and weights drawn as 0.
    """
    with torch.no_grad():
        share = {
            name: Spread.of(
                float((make(seed) == 0).double().mean()) for seed in range(SEEDS)
            )
            for name, (_, make) in SOURCES.items()
        }  # fmt: skip
    ordinary = ("blank", "narrow", "dropout", "zero")
    told = [(SOURCES[name][0], share[name]) for name in ordinary]
    measured = Words(
        f"Share of pre-activations that are exactly 0: {share['random']} of "
        f"{SEEDS * 4096 * 512:,} in a random float32 layer with biases; "
        + "; ".join(f"{words.en} {value}" for words, value in told)
        + ".",
        f"恰好为 0 的预激活值占比：带偏置的随机 float32 层，{SEEDS * 4096 * 512:,} 个中为 "
        f"{share['random']}；" + "；".join(f"{words.zh} {value}" for words, value in told) + "。",
    )
    bars = Bars(
        Words("Pre-activations that are exactly 0", "恰好为 0 的预激活值"),
        tuple(words for words, _ in SOURCES.values()),
        tuple(s.middle for s in share.values()),
        Words("share", "占比"),
        tuple(s.low for s in share.values()),
        tuple(s.high for s in share.values()),
    )
    verdict = halves(share["random"].high < RARE, all(share[n].high < RARE for n in ordinary))
    return Outcome(verdict, measured, {f"share.{n}": s for n, s in share.items()}, (bars,), SEEDS)


# ---- what they cost -----------------------------------------------------------------------------
TIMED = ("relu", "leaky_relu", "sigmoid", "tanh", "elu", "gelu", "softplus")
BLOCKS, ROUNDS, DEARER = 5, 7, 1.25


SIZE, TIMES = 2**17, 8
"""Numbers that a core's cache holds, eight times: large new tensors would time the memory pages."""


def _forward(activation: nn.Module, x: Tensor) -> None:
    with torch.no_grad():
        for _ in range(TIMES):
            activation(x)


def _both_ways(activation: nn.Module, x: Tensor, pull: Tensor) -> None:
    for _ in range(TIMES):
        torch.autograd.grad(activation(x), x, pull)


def _in_a_layer(activation: nn.Module, layer: nn.Linear, x: Tensor, pull: Tensor) -> None:
    torch.autograd.grad(activation(layer(x)), [x, layer.weight], pull)


def _ratios(programs: dict[str, Callable[[], None]]) -> dict[str, Spread]:
    """Times over ReLU's, as five ratios of medians.

    A round runs each program once, in a turning order, so that what disturbs one disturbs all; the
    clock is the thread's own, which stands still while others have the core.
    """
    found: dict[str, list[float]] = {name: [] for name in programs}
    for program in programs.values():
        program()  # warms up
    for _ in range(BLOCKS):
        times: dict[str, list[float]] = {name: [] for name in programs}
        for turn in range(ROUNDS):
            order = list(programs)
            for name in order[turn:] + order[:turn]:  # each comes after each other one
                start = time.thread_time()
                programs[name]()
                times[name].append(time.thread_time() - start)
        for name, taken in times.items():
            found[name].append(median(taken) / median(times["relu"]))
    return {name: Spread.of(ratios) for name, ratios in found.items()}


def cost() -> Outcome:
    """Claim 11.

    Two halves, by the median of five ratios of a sigmoid's time to a ReLU's (interleaved rounds, on
    one core): above 1.25 for the activation alone, forward, on 131,072 numbers; and above 1.25 for
    a layer of 1024 inputs and 1024 units with it, forward and back (batch of 128).
    """
    x = torch.randn(SIZE, generator=generator(0))
    leaf, pull = x.clone().requires_grad_(), torch.randn(x.shape, generator=generator(1))
    batch = torch.randn(128, 1024, generator=generator(2)).requires_grad_()
    pulled = torch.randn(128, 1024, generator=generator(3))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with seeded(0):
        layer = nn.Linear(1024, 1024)
    made = {name: ACTIVATIONS[name]() for name in TIMED}
    try:
        forward = _ratios({n: partial(_forward, m, x) for n, m in made.items()})
        both = _ratios({n: partial(_both_ways, m, leaf, pull) for n, m in made.items()})
        within = _ratios(
            {n: partial(_in_a_layer, m, layer, batch, pulled) for n, m in made.items()}
        )
    finally:
        torch.set_num_threads(threads)
    alone, inside = forward["sigmoid"], within["sigmoid"]
    most = max(within.values(), key=lambda s: s.middle)
    measured = Words(
        f"On 131,072 numbers sigmoid takes {alone} times as long as ReLU forward and "
        f"{both['sigmoid']} times forward and back; ELU {both['elu']}, GELU {both['gelu']}. In a "
        f"layer of 1024 units sigmoid comes to {inside} times, the dearest of all to {most}.",
        f"对 131,072 个数，sigmoid 前向用时是 ReLU 的 {alone} 倍，加反向为 {both['sigmoid']} 倍；"
        f"ELU 为 {both['elu']} 倍，GELU 为 {both['gelu']} 倍。放进 1024 个单元的一层中，"
        f"sigmoid 整层用时为 {inside} 倍，其中最慢的激活函数也只有 {most} 倍。",
    )
    pictures = (
        _bars(Words("An activation alone, forward and back", "单独的激活函数，前向加反向"), both),
        _bars(Words("A layer of 1024 units with it", "含该激活函数的 1024 单元层"), within),
    )
    figures = {f"forward.{n}": s for n, s in forward.items()}
    figures |= {f"both.{n}": s for n, s in both.items()}
    figures |= {f"layer.{n}": s for n, s in within.items()}
    verdict = halves(alone.middle > DEARER, inside.middle > DEARER)
    return Outcome(verdict, measured, figures, pictures)


def _bars(title: Words, found: dict[str, Spread]) -> Bars:
    return Bars(
        title,
        same(found),
        tuple(s.middle for s in found.values()),
        Words("time over ReLU's", "用时与 ReLU 之比"),
        tuple(s.low for s in found.values()),
        tuple(s.high for s in found.values()),
    )
