"""What an entry on a normaliser has besides, and normalisers on nested lists.

A block is indexed by example, channel and position: (N, C, H·W), height and width laid flat.
Gains and biases are left out: they are 1 and 0 before training.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from gradoctor.knowledge.formulary._entry import Entry, Row
from gradoctor.knowledge.language import Words

Block = list[list[list[float]]]
Matrix = list[list[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Normaliser(Entry):
    """A normaliser.

    Attributes:
        axes: over which of N, C, H, W its statistics are taken; empty for those of weights.
        over: the same in words.
        parameters, buffers: PyTorch's names of them, with the defaults.
        differs: training and evaluation differ.
        modes: how.
        apply: ``apply(block, ...)``; of weights for those of weights.
        shares: whether a cell shares a statistic with the cell ``FOCUS``: of (N, C), or of
            (outputs, inputs) for those of weights.
        pitfalls: where it fails or surprises.
    """

    axes: tuple[str, ...]
    over: Words
    parameters: tuple[str, ...]
    buffers: tuple[str, ...]
    differs: bool
    modes: Words
    apply: Callable[..., object]
    shares: Callable[[int, int], bool]
    pitfalls: tuple[Words, ...]

    def details(self) -> tuple[Row, ...]:
        """What it is taken over, what it holds, what the mode changes, pitfalls."""
        none = Words("none", "无")
        return (
            (Words("statistics over", "统计范围"), self.over),
            (Words("parameters", "可训练参数"), _listed(self.parameters) or none),
            (Words("buffers", "缓冲区"), _listed(self.buffers) or none),
            (Words("training and evaluation", "训练与评估"), self.modes),
            *((Words("pitfall", "注意"), pitfall) for pitfall in self.pitfalls),
        )


def _listed(names: tuple[str, ...]) -> Words | None:
    return Words.same(", ".join(names)) if names else None


def standardised(values: Iterable[float], eps: float) -> list[float]:
    """The values less their mean, over their standard deviation (that of the population)."""
    known = list(values)
    mean = sum(known) / len(known)
    deviation = math.sqrt(sum((v - mean) ** 2 for v in known) / len(known) + eps)
    return [(v - mean) / deviation for v in known]


def batch_norm(
    block: Block, *, running: tuple[list[float], list[float]] | None = None, eps: float = 1e-5
) -> Block:
    """Batch normalisation.

    Args:
        running: means and variances of the channels, for evaluation; the batch's own without.
    """
    done: Block = [[[0.0] * len(channel) for channel in example] for example in block]
    for c in range(len(block[0])):
        values = [value for example in block for value in example[c]]
        if running is None:
            found = standardised(values, eps)
        else:
            mean, deviation = running[0][c], math.sqrt(running[1][c] + eps)
            found = [(value - mean) / deviation for value in values]
        width = len(block[0][c])
        for n, example in enumerate(done):
            example[c] = found[n * width : (n + 1) * width]
    return done


def running_statistics(
    block: Block, mean: list[float], variance: list[float], *, momentum: float = 0.1
) -> tuple[list[float], list[float]]:
    """Running means and variances after a batch; the batch's variance is the unbiased one."""
    means, variances = [], []
    for c in range(len(block[0])):
        values = [value for example in block for value in example[c]]
        middle = sum(values) / len(values)
        spread = sum((v - middle) ** 2 for v in values) / (len(values) - 1)
        means.append((1 - momentum) * mean[c] + momentum * middle)
        variances.append((1 - momentum) * variance[c] + momentum * spread)
    return means, variances


def layer_norm(block: Block, *, eps: float = 1e-5) -> Block:
    """Layer normalisation over channels and positions of each example."""
    return group_norm(block, num_groups=1, eps=eps)


def group_norm(block: Block, *, num_groups: int, eps: float = 1e-5) -> Block:
    """Group normalisation over each example's groups of neighbouring channels."""
    size = len(block[0]) // num_groups
    return [
        [
            channel
            for group in range(num_groups)
            for channel in _together(
                example[group * size : (group + 1) * size], lambda v: standardised(v, eps)
            )
        ]
        for example in block
    ]


def instance_norm(block: Block, *, eps: float = 1e-5) -> Block:
    """Instance normalisation over the positions of each channel of each example."""
    return group_norm(block, num_groups=len(block[0]), eps=eps)


def rms_norm(block: Block, *, eps: float = sys.float_info.epsilon) -> Block:
    """Division by the root mean square of each example; PyTorch's ε is the type's own."""

    def divided(values: list[float]) -> list[float]:
        root = math.sqrt(sum(v * v for v in values) / len(values) + eps)
        return [v / root for v in values]

    return [_together(example, divided) for example in block]


def _together(channels: Matrix, function: Callable[[list[float]], list[float]]) -> Matrix:
    """A function of all values of some channels, laid out as the channels were."""
    width = len(channels[0])
    found = function([value for channel in channels for value in channel])
    return [found[i : i + width] for i in range(0, len(found), width)]


def local_response_norm(
    block: Block, *, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0
) -> Block:
    """Division by the squares of neighbouring channels; PyTorch divides α by ``size``."""
    done = []
    for example in block:
        channels = []
        for c, channel in enumerate(example):
            near = example[max(0, c - size // 2) : c + (size - 1) // 2 + 1]
            sums = [sum(v * v for v in column) for column in zip(*near, strict=True)]
            channels.append(
                [v / (k + alpha / size * s) ** beta for v, s in zip(channel, sums, strict=True)]
            )
        done.append(channels)
    return done


def weight_norm(directions: Matrix, lengths: list[float]) -> Matrix:
    """Weights from a direction and a length for each output: w = g·v/‖v‖."""
    return [[g * x / math.hypot(*v) for x in v] for v, g in zip(directions, lengths, strict=True)]


def power_iteration(
    matrix: Matrix, left: list[float], right: list[float]
) -> tuple[list[float], list[float]]:
    """One iteration towards the singular vectors of the largest singular value."""
    left = _unit([_dot(row, right) for row in matrix])
    return left, _unit([_dot(column, left) for column in zip(*matrix, strict=True)])


def largest(matrix: Matrix, left: list[float], right: list[float]) -> float:
    """The largest singular value that two vectors imply: uᵀ·W·v."""
    return _dot(left, [_dot(row, right) for row in matrix])


def spectral_norm(matrix: Matrix, left: list[float], right: list[float]) -> Matrix:
    """The matrix over its largest singular value, as a first pair of vectors has it."""
    sigma = largest(matrix, *power_iteration(matrix, left, right))
    return [[value / sigma for value in row] for row in matrix]


def _dot(left: Iterable[float], right: Iterable[float]) -> float:
    return sum(x * y for x, y in zip(left, right, strict=True))


def _unit(vector: list[float]) -> list[float]:
    return [x / max(math.hypot(*vector), 1e-12) for x in vector]
