"""Pictures of losses: value and gradient over the output."""

from __future__ import annotations

import math
from collections.abc import Callable

from gradoctor.knowledge.formulary._activation import sweep
from gradoctor.knowledge.formulary._loss_values import (
    bce,
    bce_gradients,
    bce_with_logits,
    bce_with_logits_gradients,
    cross_entropy,
    cross_entropy_gradients,
    hinge,
    hinge_gradients,
    huber,
    huber_gradients,
    kl_div,
    mae,
    mae_gradients,
    mse,
    mse_gradients,
    nll,
    nll_gradients,
    rmse,
    rmse_gradients,
)
from gradoctor.knowledge.formulary._saturating import sigmoid, softplus
from gradoctor.knowledge.formulary._vector import softmax
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Curve, Picture, Plot

Of = Callable[[float], float]
RESIDUAL = Words("residual: output − target", "残差：输出 − 目标")


def _plot(title: Words, x: Words, xs: tuple[float, ...], curves: dict[Words, Of]) -> Plot:
    drawn = tuple(Curve(said, xs, tuple(map(of, xs))) for said, of in curves.items())
    return Plot(title, x, Words("value", "值"), drawn)


LOSS, SLOPE = Words("loss", "损失"), Words("gradient", "梯度")
TITLE = Words("The loss and its gradient for one example", "单个样本的损失及其梯度")


def draw_mse() -> tuple[Picture, ...]:
    xs = sweep(-3, 3)
    curves: dict[Words, Of] = {
        LOSS: lambda r: mse([r], [0.0]),
        SLOPE: lambda r: mse_gradients([r], [0.0])[0],
    }
    logits = sweep(-10, 10)
    dying: dict[Words, Of] = {
        Words("MSE after a sigmoid", "Sigmoid 之后的均方误差"): lambda x: (
            2 * (sigmoid(x) - 1) * sigmoid(x) * sigmoid(-x)
        ),
        Words("BCE with logits", "带 logit 的二元交叉熵"): lambda x: bce_with_logits_gradients(
            [x], [1.0]
        )[0],
    }
    gone = _plot(
        Words("Gradient at the logit, target 1", "目标为 1 时 logit 处的梯度"),
        Words("logit (negative: wrong)", "logit（负值为判错）"),
        logits,
        dying,
    )
    return _plot(TITLE, RESIDUAL, xs, curves), gone


def draw_rmse() -> tuple[Picture, ...]:
    xs = sweep(-3, 3)
    curves: dict[Words, Of] = {
        LOSS: lambda r: rmse([r], [0.0]),
        SLOPE: lambda r: rmse_gradients([r], [0.0])[0],
    }
    two = {
        Words(f"other residual {other:g}", f"另一残差为 {other:g}"): _rmse_beside(other)
        for other in (0.1, 1.0, 3.0)
    }
    shared = _plot(
        Words("Two examples share one root: each scales the other", "两个样本共用一个根号，彼此影响梯度"),
        RESIDUAL,
        xs,
        two,
    )  # fmt: skip
    return _plot(TITLE, RESIDUAL, xs, curves), shared


def _rmse_beside(other: float) -> Of:
    return lambda r: rmse_gradients([r, other], [0.0, 0.0])[0]


def draw_mae() -> tuple[Picture, ...]:
    curves: dict[Words, Of] = {
        LOSS: lambda r: mae([r], [0.0]),
        SLOPE: lambda r: mae_gradients([r], [0.0])[0],
    }
    return (_plot(TITLE, RESIDUAL, sweep(-3, 3), curves),)


def draw_huber() -> tuple[Picture, ...]:
    xs = sweep(-4, 4)
    curves: dict[Words, Of] = {
        LOSS: lambda r: huber([r], [0.0]),
        SLOPE: lambda r: huber_gradients([r], [0.0])[0],
        Words("half the MSE", "均方误差的一半"): lambda r: r * r / 2,
        Words("MAE − ½", "平均绝对误差 − ½"): lambda r: abs(r) - 0.5,
    }
    return (_plot(TITLE, RESIDUAL, xs, curves),)


def draw_cross_entropy() -> tuple[Picture, ...]:
    xs = sweep(-8, 8)
    curves: dict[Words, Of] = {
        LOSS: lambda x: cross_entropy([[x, 0.0]], [0]),
        SLOPE: lambda x: cross_entropy_gradients([[x, 0.0]], [0])[0][0],
    }
    margin = Words("margin: right logit − the other", "间隔：正确类 logit − 另一类")
    doubled: dict[Words, Of] = {
        Words("logits", "输入 logit"): lambda x: cross_entropy([[x, *[0.0] * 9]], [0]),
        Words("softmax by mistake", "误输入 Softmax 结果"): lambda x: cross_entropy(
            [softmax([x, *[0.0] * 9])], [0]
        ),
    }
    twice = _plot(
        Words("Ten classes: softmax twice leaves a floor of 1.46", "十类：做两次 Softmax，损失不低于 1.46"),
        Words("lead of the right logit over all others", "正确类 logit 领先其余的幅度"),
        sweep(-5, 15),
        doubled,
    )  # fmt: skip
    return _plot(TITLE, margin, xs, curves), twice


def draw_nll() -> tuple[Picture, ...]:
    ps = sweep(0.005, 1.0, 200)
    curves: dict[Words, Of] = {
        LOSS: lambda p: nll([[math.log(p)]], [0]),
        Words("gradient at log p", "log p 处的梯度"): lambda p: nll_gradients([[math.log(p)]], [0])[
            0
        ][0],
    }
    return (_plot(TITLE, Words("probability of the right class", "正确类的概率"), ps, curves),)


def draw_bce() -> tuple[Picture, ...]:
    ps = sweep(0.05, 0.95, 181)
    curves: dict[Words, Of] = {
        Words("loss, target 1", "损失，目标 1"): lambda p: bce([p], [1.0]),
        Words("loss, target 0", "损失，目标 0"): lambda p: bce([p], [0.0]),
        Words("gradient, target 1", "梯度，目标 1"): lambda p: bce_gradients([p], [1.0])[0],
    }
    return (_plot(TITLE, Words("output: probability", "输出：概率"), ps, curves),)


def draw_bce_with_logits() -> tuple[Picture, ...]:
    xs = sweep(-8, 8)
    curves: dict[Words, Of] = {
        Words("loss, target 1", "损失，目标 1"): lambda x: bce_with_logits([x], [1.0]),
        Words("loss, target 0", "损失，目标 0"): lambda x: bce_with_logits([x], [0.0]),
        Words("gradient, target 1", "梯度，目标 1"): lambda x: bce_with_logits_gradients(
            [x], [1.0]
        )[0],
    }
    return (_plot(TITLE, Words("output: logit", "输出：logit"), xs, curves),)


def draw_kl_div() -> tuple[Picture, ...]:
    ps = sweep(0.01, 0.99, 197)
    curves = {
        Words(f"target ({t:g}, {1 - t:g})", f"目标 ({t:g}, {1 - t:g})"): _kl_to(t)
        for t in (0.5, 0.8, 1.0)
    }
    title = Words("Zero where the output equals the target", "输出等于目标时为零")
    return (_plot(title, Words("output: first probability", "输出：第一类的概率"), ps, curves),)


def _kl_to(t: float) -> Of:
    return lambda p: kl_div([[math.log(p), math.log(1 - p)]], [[t, 1 - t]])


def draw_hinge() -> tuple[Picture, ...]:
    xs = sweep(-3, 3)
    curves: dict[Words, Of] = {
        LOSS: lambda m: hinge([m], [1.0]),
        SLOPE: lambda m: hinge_gradients([m], [1.0])[0],
        Words("BCE with logits, for comparison", "对照：带 logit 的二元交叉熵"): lambda m: softplus(
            -m
        ),
    }
    return (_plot(TITLE, Words("margin: target × output", "间隔：目标 × 输出"), xs, curves),)
