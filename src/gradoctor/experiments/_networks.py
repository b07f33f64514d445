"""The networks the lab works with: stacks of equal layers, each weight drawn from a generator."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from zlib import crc32

import torch
from torch import Tensor, nn

Draw = Callable[[Tensor, torch.Generator], object]
"""Fills a weight matrix."""

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {
    "linear": nn.Identity,
    "sigmoid": nn.Sigmoid,
    "tanh": nn.Tanh,
    "relu": nn.ReLU,
    "leaky_relu": partial(nn.LeakyReLU, 0.1),
    "elu": nn.ELU,
    "gelu": nn.GELU,
    "softplus": nn.Softplus,
}


def generator(seed: int, use: str = "data") -> torch.Generator:
    """A source of chance of its own for each seed and use: weights must not repeat the data."""
    return torch.Generator().manual_seed(crc32(f"{use} {seed}".encode()))


# ---- how weights are drawn ----------------------------------------------------------------------
def scaled(gain: float) -> Draw:
    """Normal with variance gain²/fan-in: σ_w = gain. He's rule for ReLU is gain √2."""

    def draw(weight: Tensor, generator: torch.Generator) -> None:
        nn.init.normal_(weight, 0.0, gain / math.sqrt(weight.shape[1]), generator)

    return draw


def spread(std: float) -> Draw:
    """Normal with a fixed standard deviation, whatever the width."""

    def draw(weight: Tensor, generator: torch.Generator) -> None:
        nn.init.normal_(weight, 0.0, std, generator)

    return draw


def constant(value: float) -> Draw:
    """The same number everywhere."""

    def draw(weight: Tensor, generator: torch.Generator) -> None:
        nn.init.constant_(weight, value)

    return draw


def xavier(weight: Tensor, generator: torch.Generator) -> None:
    """Normal with variance 2/(fan-in + fan-out)."""
    nn.init.xavier_normal_(weight, generator=generator)


def usual(weight: Tensor, generator: torch.Generator) -> None:
    """What ``nn.Linear`` does on its own: uniform within 1/√fan-in, that is σ_w = 1/√3."""
    nn.init.kaiming_uniform_(weight, a=math.sqrt(5), generator=generator)


HE = scaled(math.sqrt(2))


def draw_all(model: nn.Module, draw: Draw, seed: int, biases: Draw | None = None) -> None:
    """Draw every matrix of a model; one-dimensional biases become 0 unless they are drawn too."""
    chance = generator(seed, "weights")
    for module in model.modules():
        if isinstance(module, nn.Linear):
            draw(module.weight, chance)
            if biases is None:
                nn.init.zeros_(module.bias)
            else:
                biases(module.bias, chance)


# ---- stacks -------------------------------------------------------------------------------------
class Block(nn.Module):
    """One layer: linear, perhaps a normalisation, then the activation.

    With a way around it the activation comes first, as in pre-activation residual networks
    (x + Wφ(x)): what is added has then no mean that would pile up with depth.
    """

    def __init__(
        self,
        inputs: int,
        width: int,
        activation: Callable[[], nn.Module],
        norm: Callable[[int], nn.Module] | None = None,
        skip: bool = False,
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(inputs, width)
        self.norm = nn.Identity() if norm is None else norm(width)
        self.activation = activation()
        self.skip = skip and inputs == width

    def forward(self, x: Tensor) -> Tensor:
        """The layer's output."""
        if self.skip:
            branch: Tensor = self.linear(self.activation(self.norm(x)))
            return x + branch
        out: Tensor = self.activation(self.norm(self.linear(x)))
        return out


class Stack(nn.Module):
    """Hidden layers of one width, then a linear head.

    Args:
        depth: hidden layers.
        activation: a key of ``ACTIVATIONS``, or what makes one.
        draw: fills the weight matrices; ``head`` those of the head, when otherwise.
        biases: fills the biases; None leaves them 0.
        norm: makes a normalisation of a width, put before each activation.
        skip: adds each layer's input to what it makes of it (see ``Block``).
        dtype: float64 for what must be exact.
    """

    def __init__(
        self,
        depth: int,
        activation: str | Callable[[], nn.Module],
        draw: Draw,
        *,
        inputs: int = 64,
        width: int = 64,
        outputs: int = 10,
        seed: int = 0,
        head: Draw | None = None,
        biases: Draw | None = None,
        norm: Callable[[int], nn.Module] | None = None,
        skip: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        super().__init__()
        make = ACTIVATIONS[activation] if isinstance(activation, str) else activation
        sizes = [inputs, *[width] * depth]
        with torch.random.fork_rng(devices=[]):  # what nn.Linear draws on its own is overwritten
            self.blocks = nn.ModuleList(Block(a, b, make, norm, skip) for a, b in pairwise(sizes))
            self.head = nn.Linear(sizes[-1], outputs)
        self.to(dtype)
        draw_all(self, draw, seed, biases)
        if head is not None:
            draw_all(self.head, head, seed)

    def forward(self, x: Tensor) -> Tensor:
        """The head's output."""
        out: Tensor = self.head(self.states(x)[-1])
        return out

    def states(self, x: Tensor) -> list[Tensor]:
        """The input, then what each hidden layer gives."""
        states = [x]
        for block in self.blocks:
            states.append(block(states[-1]))
        return states

    def linears(self) -> list[nn.Linear]:
        """The linear maps of the hidden layers, then the head."""
        return [block.linear for block in self.blocks if isinstance(block, Block)] + [self.head]


# ---- what flows through them --------------------------------------------------------------------
@dataclass(frozen=True)
class Flow:
    """Root mean squares by hidden layer, from the input's side to the head's.

    Attributes:
        signal: of what the layers give.
        gradient: of the loss's gradient at what they give.
        weights: of its gradient at their weight matrices.
    """

    signal: tuple[float, ...]
    gradient: tuple[float, ...]
    weights: tuple[float, ...]

    @property
    def bits(self) -> float:
        """log2 by which the gradient grows a layer on its way back; below 0 it vanishes."""
        return slope(self.gradient)

    @property
    def ratio(self) -> float:
        """The first layer's weight gradient over the last layer's."""
        return self.weights[0] / self.weights[-1] if self.weights[-1] else math.nan


def slope(gradient: Sequence[float]) -> float:
    """Bits a layer from the last value to the first; -inf where nothing arrives."""
    first, last = gradient[0], gradient[-1]
    if first == 0 or last == 0:
        return -math.inf
    return (math.log2(first) - math.log2(last)) / (len(gradient) - 1)


def rms(tensor: Tensor) -> float:
    """The root mean square of all elements, without under- or overflow of float32."""
    return float(tensor.detach().double().square().mean().sqrt())


def flow(model: Stack, x: Tensor, y: Tensor, loss: Callable[..., Tensor] | None = None) -> Flow:
    """What goes through a stack forward and back for one batch; leaves no gradients behind."""
    states = model.states(x)
    value = (loss or nn.functional.cross_entropy)(model.head(states[-1]), y)
    matrices = [linear.weight for linear in model.linears()[:-1]]
    found = torch.autograd.grad(value, [*states[1:], *matrices])
    half = len(states) - 1
    return Flow(
        tuple(rms(s) for s in states[1:]),
        tuple(rms(g) for g in found[:half]),
        tuple(rms(g) for g in found[half:]),
    )


def pulled(model: Stack, x: Tensor, seed: int) -> list[float]:
    """Rms of the gradient at the input and at what each hidden layer gives, for a random pull.

    The pull is independent of the weights and takes the place of a loss's gradient at the last
    state, so that nothing but the layers shapes what arrives.
    """
    states = model.states(x.detach().clone().requires_grad_())
    pull = torch.randn(states[-1].shape, generator=generator(seed, "pull"), dtype=x.dtype)
    return [rms(g) for g in torch.autograd.grad(states[-1], states, pull)]
