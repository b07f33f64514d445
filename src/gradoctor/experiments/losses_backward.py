"""Back-propagation of a two-layer network by hand, in NumPy, beside autograd and the optimizers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam

from gradoctor.experiments._data import digits
from gradoctor.experiments._judging import LOSS, STEP, halves, line, once
from gradoctor.experiments._networks import Stack, generator, rms, usual
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Plot
from gradoctor.lab import Outcome

Array = np.ndarray[Any, np.dtype[np.float64]]
RATE, STEPS = 0.5, 200


@dataclass
class ByHand:
    """Two layers, x → tanh(x W1ᵀ + b1) → W2ᵀ + b2 → softmax, with cross-entropy: all in NumPy."""

    w1: Array
    b1: Array
    w2: Array
    b2: Array

    def loss(self, x: Array, y: Array) -> float:
        """The mean cross-entropy; what the backward pass needs is kept."""
        self.x, self.y = x, y
        self.hidden = np.tanh(x @ self.w1.T + self.b1)
        logits = self.hidden @ self.w2.T + self.b2
        logits = logits - logits.max(1, keepdims=True)
        exp = np.exp(logits)
        self.p = exp / exp.sum(1, keepdims=True)
        return float(-np.log(self.p[np.arange(len(y)), y]).mean())

    def gradients(self) -> tuple[Array, Array, Array, Array]:
        """The chain rule, from the loss back to the first layer."""
        count = len(self.y)
        out = self.p.copy()  # at the logits: softmax less the one-hot label
        out[np.arange(count), self.y] -= 1
        out /= count
        hidden = (out @ self.w2) * (1 - self.hidden**2)  # through W2, then through tanh
        return hidden.T @ self.x, hidden.sum(0), out.T @ self.hidden, out.sum(0)

    def step(self, rate: float, wrong: bool = False) -> None:
        """One step of gradient descent; ``wrong`` takes W2 from W1, as the notes print it."""
        dw1, db1, dw2, db2 = self.gradients()
        self.w2 = (self.w1 if wrong else self.w2) - rate * dw2
        self.w1 = self.w1 - rate * dw1
        self.b1, self.b2 = self.b1 - rate * db1, self.b2 - rate * db2


def _inputs() -> tuple[Tensor, Tensor]:
    """The digits on their ten principal components, so that both matrices may be 10 × 10."""
    data = digits().double()
    _, _, directions = torch.linalg.svd(data.x - data.x.mean(0), full_matrices=False)
    x = (data.x - data.x.mean(0)) @ directions[:10].T
    return x / x.std(), data.y


def _matrices(inputs: int = 10, hidden: int = 10) -> list[Tensor]:
    chance = generator(0, "weights")
    shapes = [(hidden, inputs), (hidden,), (10, hidden), (10,)]
    return [0.3 * torch.randn(shape, generator=chance, dtype=torch.float64) for shape in shapes]


def _by_hand(parts: list[Tensor]) -> ByHand:
    return ByHand(*(p.detach().numpy().copy() for p in parts))


def _in_torch(parts: Sequence[Tensor], x: Tensor, y: Tensor) -> Tensor:
    w1, b1, w2, b2 = parts
    return nn.functional.cross_entropy((x @ w1.T + b1).tanh() @ w2.T + b2, y)


def _descended(wrong: bool) -> list[float]:
    """The loss of each step of gradient descent by hand."""
    x, y = _inputs()
    net, losses = _by_hand(_matrices()), []
    for _ in range(STEPS):
        losses.append(net.loss(x.numpy(), y.numpy()))
        net.step(RATE, wrong)
    return losses


def _trained(backward: bool = True, update: bool = True) -> tuple[list[float], int]:
    """The same by autograd and ``torch.optim.SGD``; either may be left out.

    Returns:
        the losses, and how many parameters have a gradient in the end.
    """
    x, y = _inputs()
    parts = [nn.Parameter(p) for p in _matrices()]
    optimizer, losses = SGD(parts, RATE), []
    for _ in range(STEPS):
        loss = _in_torch(parts, x, y)
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        if backward:
            loss.backward()  # type: ignore[no-untyped-call]
        if update:
            optimizer.step()
    return losses, sum(p.grad is not None for p in parts)


def _gradient_error() -> float:
    """The largest difference between the gradients by hand and by autograd."""
    x, y = _inputs()
    parts = [p.requires_grad_() for p in _matrices(10, 16)]
    found = torch.autograd.grad(_in_torch(parts, x, y), parts)
    net = _by_hand(parts)
    net.loss(x.numpy(), y.numpy())
    pairs = zip(net.gradients(), found, strict=True)
    return max(float(np.abs(a - b.numpy()).max()) for a, b in pairs)


def _refused() -> bool:
    """The printed rule can not be applied where the two matrices have different shapes."""
    net = _by_hand(_matrices(10, 16))
    x, y = _inputs()
    net.loss(x.numpy(), y.numpy())
    try:
        net.step(RATE, wrong=True)
    except ValueError:
        return True
    return False


def step_of_the_wrong_matrix() -> Outcome:
    """Claim 51.

    Two halves. The printed step W2 ← W1 - α dW2 can be taken with 16 hidden units; and where both
    matrices are 10 × 10 its loss after 200 steps (digits, float64) is within 10 % of what the step
    W2 ← W2 - α dW2 reaches.
    """
    right, printed, library = _descended(False), _descended(True), _trained()[0]
    refused = _refused()
    apart = max(abs(a - b) for a, b in zip(right, library, strict=True))
    possible = Words("impossible", "无法执行") if refused else Words("possible", "可以执行")
    measured = Words(
        f"From a loss of {right[0]:.3f}, 200 steps with W2 ← W2 - α dW2 reach {right[-1]:.4f} and "
        f"with W2 ← W1 - α dW2 {printed[-1]:.3f}; with 16 hidden units the latter is "
        f"{possible.en}. NumPy by hand and torch.optim.SGD give the same losses to {apart:.0e}.",
        f"损失从 {right[0]:.3f} 开始，用 W2 ← W2 - α dW2 走 200 步降到 {right[-1]:.4f}，"
        f"用 W2 ← W1 - α dW2 则为 {printed[-1]:.3f}；隐藏层取 16 个神经元时，后者{possible.zh}。"
        f"NumPy 手写实现与 torch.optim.SGD 的损失相差不超过 {apart:.0e}。",
    )
    picture = Plot(
        Words("Gradient descent by hand", "手写的梯度下降"),
        STEP,
        LOSS,
        (
            line("W2 ← W2 − α dW2", range(STEPS), right),
            line("W2 ← W1 − α dW2", range(STEPS), printed),
        ),
    )
    figures = {"loss.right": once(right[-1]), "loss.printed": once(printed[-1])}
    figures |= {"refused": once(refused), "apart": once(apart)}
    verdict = halves(not refused, abs(printed[-1] / right[-1] - 1) < 0.1)
    return Outcome(verdict, measured, figures, (picture,))


# ---- claim 66 ------------------------------------------------------------------------------------
def _first_gradients(make: type[SGD] | type[Adam]) -> list[Tensor]:
    """The gradients that a backward pass leaves while an optimizer stands by."""
    x, y = _inputs()
    parts = [nn.Parameter(p) for p in _matrices()]
    make(parts, 0.1)
    _in_torch(parts, x, y).backward()  # type: ignore[no-untyped-call]
    return [p.grad for p in parts if p.grad is not None]


def who_passes_it_back() -> Outcome:
    """Claim 66.

    Two halves (float64). That an optimizer's steps give the four parameters gradients when there
    is no backward pass; and that gradients depend on the optimizer: SGD's and Adam's differ at the
    same weights. Beside it: gradients by hand against autograd.
    """
    without, given = _trained(backward=False)
    idle, present = _trained(update=False)
    both, _ = _trained()
    pairs = zip(_first_gradients(SGD), _first_gradients(Adam), strict=True)
    differ = any(not torch.equal(a, b) for a, b in pairs)
    error = _gradient_error()
    measured = Words(
        f"Without a backward pass 200 optimizer steps left {given} of 4 parameters with a gradient "
        f"and the loss at {without[-1]:.3f}; a backward pass without steps gave {present} of 4 and "
        f"left it at {idle[-1]:.3f}; both together brought it to {both[-1]:.4f}. The chain rule by "
        f"hand, in NumPy, agrees with autograd to {error:.0e}.",
        f"没有反向传播时，优化器走 200 步后，4 个参数中有梯度的为 {given} 个，损失停在 "
        f"{without[-1]:.3f}；"
        f"只反向传播、不更新时，有梯度的为 {present} 个，损失停在 {idle[-1]:.3f}；"
        f"两者兼备时损失降到 {both[-1]:.4f}。用 NumPy 手写的链式法则与 autograd 相差 {error:.0e}。",
    )
    steps = range(STEPS)
    picture = Plot(
        Words(
            "What the backward pass does, and what the optimizer does", "反向传播与优化器各自的作用"
        ),
        STEP,
        LOSS,
        (
            line(Words("step() only", "只有 step()"), steps, without),
            line(Words("backward() only", "只有 backward()"), steps[::10], idle[::10], points=True),
            line(Words("both", "两者兼备"), steps, both),
        ),
    )
    figures = {"gradients.step_only": once(given), "gradients.backward_only": once(present)}
    figures |= {"loss.both": once(both[-1]), "by_hand.error": once(error)}
    return Outcome(halves(given > 0, differ), measured, figures, (picture,))


# ---- claim 45 ------------------------------------------------------------------------------------
def _as_printed() -> tuple[int, int]:
    """The notes' demonstration: how many matrices it has, and how many gradients in the end."""
    layer = nn.Linear(4, 3)
    nn.functional.sigmoid(layer(torch.ones(2, 4)))
    parts = list(layer.parameters())
    return sum(p.dim() == 2 for p in parts), sum(p.grad is not None for p in parts)


def three_layer_sample() -> Outcome:
    """Claim 45.

    Two halves on the notes' demonstration (one ``nn.Linear``, ``F.sigmoid`` of its output): that it
    has three weight matrices; and that a parameter has a gradient when it is done. What it was
    meant to show is measured beside it on three layers, two of them sigmoid, with a backward pass.
    """
    matrices, gradients = _as_printed()
    data = digits()
    net = Stack(2, "sigmoid", usual)  # two hidden layers and the head: three matrices
    sizes = _weight_gradients(net, data.x[:128], data.y[:128])
    falls = [a / b for a, b in pairwise(sizes)]
    measured = Words(
        f"The demonstration has {matrices} weight matrix, and {gradients} parameters have a "
        f"gradient in the end. Three layers (two of them sigmoid) with a backward pass do show the "
        f"effect: the second's gradient is {falls[1]:.2f} of the third's, the first's "
        f"{falls[0]:.2f} of the second's.",
        f"该示例只有 {matrices} 个权重矩阵，结束时有梯度的参数为 {gradients} 个。"
        f"真正的三层网络（其中两层为 sigmoid）加上反向传播才能看到这一效应："
        f"第二层的梯度是第三层的 {falls[1]:.2f}，第一层是第二层的 {falls[0]:.2f}。",
    )
    picture = Bars(
        Words("Gradients of a net of three layers", "三层网络各层的梯度"),
        tuple(Words(f"layer {n}", f"第 {n} 层") for n in (1, 2, 3)),
        tuple(sizes),
        Words("rms of the weight's gradient", "权重梯度的均方根"),
        log=True,
    )
    figures = {"matrices": once(matrices), "gradients": once(gradients)}
    figures |= {f"rms.{n}": once(size) for n, size in enumerate(sizes, 1)}
    return Outcome(halves(matrices == 3, gradients > 0), measured, figures, (picture,))


def _weight_gradients(net: Stack, x: Tensor, y: Tensor) -> list[float]:
    weights = [linear.weight for linear in net.linears()]
    return [rms(g) for g in torch.autograd.grad(nn.functional.cross_entropy(net(x), y), weights)]
