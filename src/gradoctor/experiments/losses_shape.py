"""The shape of losses: is cross-entropy a distance, where is it convex, what is RMSE's slope."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.optim import Adam

from gradoctor.experiments._data import breast_cancer, diabetes
from gradoctor.experiments._judging import halves, line, once
from gradoctor.experiments._networks import generator
from gradoctor.experiments._training import mean_loss, train
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Curve, Plot
from gradoctor.lab import Outcome, Spread

cross_entropy = nn.functional.cross_entropy
mse = nn.functional.mse_loss


# ---- claim 19 ------------------------------------------------------------------------------------
def crossed(p: Tensor, q: Tensor) -> Tensor:
    """H(p, q) in nats, by row."""
    return -(p * q.log()).sum(-1)


def entropy_as_distance() -> Outcome:
    """Claim 19.

    Four parts, on 2000 triples of random distributions over five classes (float64). As a distance
    has it: q = p is nearest to p (H(p, q) > H(p, p) always); H(p, p) is 0; H is symmetric; and the
    triangle inequality holds for what exceeds the entropy, KL = H(p, q) - H(p). Also checked: H
    equals entropy plus torch's KL to 1e-12.
    """
    chance = generator(0)
    p, q, r = torch.randn(3, 2000, 5, generator=chance, dtype=torch.float64).mul(1.5).softmax(-1)
    own, there, back = crossed(p, p), crossed(p, q), crossed(q, p)
    excess = {"pq": there - own, "qr": crossed(q, r) - crossed(q, q), "pr": crossed(p, r) - own}
    kl = nn.functional.kl_div(q.log(), p, reduction="none").sum(-1)
    error = float((there - own - kl).abs().max())
    broken = float((excess["pr"] > excess["pq"] + excess["qr"] + 1e-12).double().mean())
    skew = float((there - back).abs().median())
    nearest = bool((there > own).all()) and error < 1e-12
    measured = Words(
        f"H(p, q) is always above H(p, p), and is H(p) + KL(p‖q) to {error:.0e}. But H(p, p) is "
        f"{float(own.median()):.2f} nats in the median, not 0; H(p, q) and H(q, p) differ by "
        f"{skew:.2f}; and KL breaks the triangle inequality in {broken:.0%} of triples.",
        f"H(p, q) 总大于 H(p, p)，且等于 H(p) + KL(p‖q)，误差 {error:.0e}。但 H(p, p) 的中位数为 "
        f"{float(own.median()):.2f} 奈特，并不为 0；H(p, q) 与 H(q, p) 相差 {skew:.2f}（中位数）；"
        f"KL 散度在 {broken:.0%} 的三元组中违反三角不等式。",
    )
    share = [k / 100 for k in range(1, 100)]
    fixed = torch.tensor([0.3, 0.7], dtype=torch.float64)
    moving = torch.tensor([[s, 1 - s] for s in share], dtype=torch.float64)
    picture = Plot(
        Words("Cross-entropy with p = (0.3, 0.7)", "与 p = (0.3, 0.7) 的交叉熵"),
        Words("q's first share", "q 的第一个分量"),
        Words("nats", "奈特"),
        (
            line("H(p, q)", share, crossed(fixed, moving).tolist()),
            line("H(q, p)", share, crossed(moving, fixed).tolist()),
            line("KL(p‖q)", share, (crossed(fixed, moving) - crossed(fixed, fixed)).tolist()),
        ),
    )
    figures = {"own": once(float(own.median())), "skew": once(skew), "triangle": once(broken)}
    figures["identity.error"] = once(error)
    verdict = halves(nearest, float(own.max()) < 1e-9, skew < 1e-9, broken == 0)
    return Outcome(verdict, measured, figures, (picture,))


# ---- claim 20 ------------------------------------------------------------------------------------
def eigenvalues(function: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """Of a function's Hessian at a point, from the smallest."""
    hessian: Tensor = torch.func.hessian(function)(at)
    values: Tensor = torch.linalg.eigvalsh(hessian)
    return values


def _in_weights(sizes: tuple[int, ...], seed: int) -> Tensor:
    """Eigenvalues of cross-entropy on breast cancer, in the weights of a random tanh network."""
    data = breast_cancer().double()
    x, y = data.x[:, :6], data.y
    shapes = [s for a, b in itertools.pairwise(sizes) for s in ((b, a), (b,))]
    counts = [math.prod(shape) for shape in shapes]

    def loss(vector: Tensor) -> Tensor:
        parts = [p.view(s) for p, s in zip(torch.split(vector, counts), shapes, strict=True)]
        out = x
        for k in range(0, len(parts), 2):
            out = nn.functional.linear(out if k == 0 else out.tanh(), parts[k], parts[k + 1])
        return cross_entropy(out, y)

    at = torch.randn(sum(counts), generator=generator(seed), dtype=torch.float64)
    return eigenvalues(loss, at)


def convexity() -> Outcome:
    """Claim 20.

    Two halves; convex is no eigenvalue of a Hessian below -1e-10 (float64). In the logits, at 200
    random points, and so in the weights of a linear model (5 seeds). In the weights of a network
    with one hidden layer (breast cancer, 5 seeds).
    """
    chance, label = generator(0), torch.tensor(3)
    points = 3 * torch.randn(200, 10, generator=chance, dtype=torch.float64)
    logits = [eigenvalues(lambda z: cross_entropy(z, label), point) for point in points]
    squared = [
        eigenvalues(lambda z: (z.softmax(-1) - torch.eye(10)[3]).square().mean(), point)
        for point in points
    ]
    linear = [_in_weights((6, 2), seed) for seed in range(5)]
    network = [_in_weights((6, 8, 2), seed) for seed in range(5)]
    least = {
        "logits": Spread.of(float(e[0]) for e in logits),
        "linear": Spread.of(float(e[0]) for e in linear),
        "network": Spread.of(float(e[0]) for e in network),
        "squared": Spread.of(float(e[0]) for e in squared),
    }
    negative = Spread.of(float((e < -1e-10).double().mean()) for e in network)
    measured = Words(
        f"Smallest eigenvalue of the Hessian: {least['logits'].low:.0e} in the logits, "
        f"{least['linear'].low:.0e} in the weights of a linear model, {least['network']} in those "
        f"of a network with a hidden layer, where {negative} of all are negative. (Squared error "
        f"of the softmax, in the logits: {least['squared']}.)",
        f"黑塞矩阵的最小特征值：对 logits 为 {least['logits'].low:.0e}，对线性模型的权重为 "
        f"{least['linear'].low:.0e}，对含一个隐藏层的网络的权重为 {least['network']}，"
        "其中负特征值占 "
        f"{negative}。（softmax 输出的平方误差，对 logits：{least['squared']}。）",
    )
    picture = Plot(
        Words("Eigenvalues of the Hessian of cross-entropy", "交叉熵黑塞矩阵的特征值"),
        Words("rank, as a share", "排序位置（占比）"),
        Words("eigenvalue", "特征值"),
        (
            _ranked(Words("logits", "logits"), logits[0]),
            _ranked(Words("weights of a linear model", "线性模型的权重"), linear[0]),
            _ranked(Words("weights of a network", "网络的权重"), network[0]),
        ),
    )
    figures = {f"least.{name}": s for name, s in least.items()} | {"negative": negative}
    convex = min(least["logits"].low, least["linear"].low) > -1e-10
    verdict = halves(convex, least["network"].low > -1e-10)
    return Outcome(verdict, measured, figures, (picture,), 5)


def _ranked(label: Words, values: Tensor) -> Curve:
    places = [k / max(len(values) - 1, 1) for k in range(len(values))]
    return line(label, places, values.tolist())


# ---- claim 21 ------------------------------------------------------------------------------------
def rmse(out: Tensor, y: Tensor) -> Tensor:
    """The root of the mean squared error."""
    return mse(out, y).sqrt()


def _slope(loss: Callable[[Tensor, Tensor], Tensor], error: float) -> float:
    """The norm of a loss's gradient where eight outputs are all off by the same."""
    out = torch.full((8, 1), error, dtype=torch.float64, requires_grad=True)
    (found,) = torch.autograd.grad(loss(out, torch.zeros_like(out)), out)
    return float(found.norm())


def _fitted(loss: Callable[[Tensor, Tensor], Tensor], seed: int) -> float:
    """The training RMSE of a linear model of the diabetes data."""
    data = diabetes()
    model = nn.Linear(data.inputs, 1)
    with torch.no_grad():
        model.weight.normal_(0, 0.1, generator=generator(seed))
        model.bias.zero_()
    train(model, data, Adam(model.parameters(), 0.02), steps=400, size=310, seed=seed, loss=loss)
    return math.sqrt(mean_loss(model, data.x, data.y, mse))


def root_of_squares() -> Outcome:
    """Claim 21.

    Two halves. MSE and RMSE lead a linear model of the diabetes data to the same fit: its RMSE
    agrees to 1 % in each of 5 seeds. And the gradient of both is finite at every error tried, 0
    among them.
    """
    fits = {
        "mse": [_fitted(mse, s) for s in range(5)],
        "rmse": [_fitted(rmse, s) for s in range(5)],
    }
    agree = all(abs(a / b - 1) < 0.01 for a, b in zip(fits["mse"], fits["rmse"], strict=True))
    errors = [10.0**k for k in range(-8, 2)]
    slopes = {"MSE": [_slope(mse, e) for e in errors], "RMSE": [_slope(rmse, e) for e in errors]}
    at_zero = {"MSE": _slope(mse, 0.0), "RMSE": _slope(rmse, 0.0)}
    finite = all(map(math.isfinite, [*slopes["MSE"], *slopes["RMSE"], *at_zero.values()]))
    measured = Words(
        f"Trained on either, the fit has an RMSE of {Spread.of(fits['mse'])} and "
        f"{Spread.of(fits['rmse'])}. At an error of 0 the gradient of MSE is {at_zero['MSE']:g}, "
        f"that of RMSE {at_zero['RMSE']}; at 1e-8 it is {slopes['MSE'][0]:.0e} and "
        f"{slopes['RMSE'][0]:.2f}.",
        f"分别用两者训练，拟合的 RMSE 为 {Spread.of(fits['mse'])} 和 {Spread.of(fits['rmse'])}。"
        f"误差为 0 时，MSE 的梯度为 {at_zero['MSE']:g}，RMSE 的梯度为 {at_zero['RMSE']}；"
        f"误差为 1e-8 时分别为 {slopes['MSE'][0]:.0e} 和 {slopes['RMSE'][0]:.2f}。",
    )
    picture = Plot(
        Words("Size of the gradient by the error", "梯度大小与误差的关系"),
        Words("error", "误差"),
        Words("norm of the gradient", "梯度范数"),
        tuple(line(name, errors, values) for name, values in slopes.items()),
        log_x=True,
        log_y=True,
    )
    bars = Bars(
        Words("RMSE of the fit", "拟合的 RMSE"),
        (Words("trained on MSE", "用 MSE 训练"), Words("trained on RMSE", "用 RMSE 训练")),
        tuple(Spread.of(v).middle for v in fits.values()),
    )
    figures = {f"fit.{name}": Spread.of(values) for name, values in fits.items()}
    figures["slope.mse.zero"] = once(at_zero["MSE"])
    figures["slope.rmse.zero_is_finite"] = once(float(math.isfinite(at_zero["RMSE"])))
    return Outcome(halves(agree, finite), measured, figures, (picture, bars), 5)
