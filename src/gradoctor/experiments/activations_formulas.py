"""Activations as formulas: what tanh is of sigmoid, leaky ReLU of a maximum, maxout of its maps."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from gradoctor.experiments._judging import halves, line, once
from gradoctor.experiments._networks import generator
from gradoctor.experiments.depth_products import unexplained
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Bars, Plot
from gradoctor.lab import Outcome
from gradoctor.nn import Maxout

INPUT, OUTPUT = Words("input x", "输入 x"), Words("output", "输出")


# ---- tanh and sigmoid ---------------------------------------------------------------------------
def tanh_as_a_shift() -> Outcome:
    """Claim 47.

    True when some shift of the sigmoid, sideways by up to 3 and up or down by up to 1 in steps of
    0.05, comes within 0.01 of tanh on [-12, 12] (float64). 2σ(2x) - 1 is measured beside it.
    """
    x = torch.arange(-1200, 1201, dtype=torch.float64) / 100
    tanh = torch.tanh(x)
    sideways = torch.arange(-60, 61, dtype=torch.float64) / 20
    upwards = torch.arange(-20, 21, dtype=torch.float64) / 20
    shifted = torch.sigmoid(x - sideways[:, None])
    error = torch.stack([(shifted + up - tanh).abs().amax(1) for up in upwards], 1)
    best = int(error.argmin())
    a, b = float(sideways[best // len(upwards)]), float(upwards[best % len(upwards)])
    least = float(error.min())
    exact = float((2 * torch.sigmoid(2 * x) - 1 - tanh).abs().max())
    measured = Words(
        f"The best of all shifts ({a:.3g} sideways, {b:.3g} upwards) is still up to {least:.2f} "
        f"away from tanh. 2σ(2x) - 1 agrees with it to {exact:.0e}.",
        f"所有平移中最好的一种（横移 {a:.3g}，纵移 {b:.3g}）与 tanh 仍相差可达 {least:.2f}；"
        f"而 2σ(2x) - 1 与 tanh 只差 {exact:.0e}。",
    )
    thin = slice(600, 1801, 10)
    drawn = {
        "tanh(x)": tanh, "σ(x) − 0.5": torch.sigmoid(x) - 0.5, "σ(2x)": torch.sigmoid(2 * x),
    }  # fmt: skip
    picture = Plot(
        Words("tanh is sigmoid stretched, then shifted", "tanh 是 sigmoid 先伸缩、再平移"),
        INPUT,
        OUTPUT,
        tuple(line(name, x[thin].tolist(), y[thin].tolist()) for name, y in drawn.items()),
    )
    figures = {"best_shift": once(least), "exact": once(exact)}
    return Outcome(halves(least < 0.01), measured, figures, (picture,))


# ---- leaky ReLU as a maximum --------------------------------------------------------------------
LEAKS = (0.01, 0.1, 0.5, 1.0, 1.5, 2.0)


def leaky_as_a_maximum() -> Outcome:
    """Claim 60.

    A part for each of six slopes a from 0.01 to 2: it holds when ``F.leaky_relu`` with that slope
    and max(ax, x) agree within 1e-12 on [-4, 4] (float64).
    """
    x = torch.arange(-400, 401, dtype=torch.float64) / 100
    error = {a: float((F.leaky_relu(x, a) - torch.maximum(a * x, x)).abs().max()) for a in LEAKS}
    agree = [a for a in LEAKS if error[a] < 1e-12]
    apart = [a for a in LEAKS if a not in agree]
    measured = Words(
        f"The two agree for a = {', '.join(map(str, agree))}, and differ by up to "
        + ", ".join(f"{error[a]:.3g} for a = {a}" for a in apart)
        + " on [-4, 4].",
        f"a = {'、'.join(map(str, agree))} 时两者相同；在 [-4, 4] 上，"
        + "，".join(f"a = {a} 时相差可达 {error[a]:.3g}" for a in apart)
        + "。",
    )
    picture = Plot(
        Words(
            "With a slope above 1 the maximum is another function",
            "斜率大于 1 时，取最大值得到另一个函数",
        ),
        INPUT,
        OUTPUT,
        (
            line("leaky_relu, a = 0.5", x.tolist(), F.leaky_relu(x, 0.5).tolist()),
            line("leaky_relu, a = 2", x.tolist(), F.leaky_relu(x, 2.0).tolist()),
            line("max(2x, x)", x.tolist(), torch.maximum(2 * x, x).tolist()),
        ),
    )
    figures = {f"error.{a}": once(v) for a, v in error.items()}
    return Outcome(halves(*(error[a] < 1e-12 for a in LEAKS)), measured, figures, (picture,))


# ---- softplus and log-sigmoid -------------------------------------------------------------------
BETAS = (0.5, 1.0, 2.0)


def softplus_formula() -> Outcome:
    """Claim 64.

    Two halves in float64. Softplus is log(1 + e^(βx))/β: ``F.softplus`` is within 5e-9 of it for β
    of 0.5, 1 and 2 on [-30, 30] (past βx = 20 PyTorch returns x, which is 2e-9 off). And
    ``F.logsigmoid`` is log(1/(1 + e^(-x))), within 1e-12.
    """
    x = torch.arange(-3000, 3001, dtype=torch.float64) / 100
    error = {
        b: float((F.softplus(x, b) - torch.log1p(torch.exp(b * x)) / b).abs().max()) for b in BETAS
    }
    log = F.logsigmoid(x)
    against = float((log + torch.log1p(torch.exp(-x))).abs().max())
    mirrored = float((log + F.softplus(-x, threshold=1e9)).abs().max())
    far = torch.tensor(-200.0)  # float32: e^200 overflows
    naive, stable = float(torch.log(torch.sigmoid(far))), float(F.logsigmoid(far))
    worst = max(error.values())
    measured = Words(
        f"Softplus is within {worst:.1e} of its formula (β of 0.5, 1 and 2), log-sigmoid within "
        f"{against:.0e}, and log-sigmoid(x) = -softplus(-x) holds to {mirrored:.0e}. At x = -200 "
        f"in float32 log(sigmoid(x)) is {naive}, logsigmoid {stable:.0f}.",
        f"softplus 与其公式的差不超过 {worst:.1e}（β 取 0.5、1、2），log-sigmoid 不超过 "
        f"{against:.0e}，logsigmoid(x) = -softplus(-x) 成立到 {mirrored:.0e}。float32 下 x = -200 "
        f"时，log(sigmoid(x)) 为 {naive}，logsigmoid 为 {stable:.0f}。",
    )
    thin = slice(2400, 3601, 12)
    curves = [
        line(f"softplus, β = {b:g}", x[thin].tolist(), F.softplus(x, b)[thin].tolist())
        for b in BETAS
    ]
    curves.append(line("logsigmoid", x[thin].tolist(), log[thin].tolist()))
    picture = Plot(
        Words("Softplus, and its mirror image", "softplus 及其镜像"), INPUT, OUTPUT, tuple(curves)
    )
    figures = {f"softplus.{b}": once(v) for b, v in error.items()}
    figures |= {"logsigmoid": once(against), "mirror": once(mirrored), "stable": once(stable)}
    return Outcome(halves(worst < 5e-9, against < 1e-12), measured, figures, (picture,))


# ---- maxout -------------------------------------------------------------------------------------
def _fit(shared: bool) -> tuple[float, Tensor, Tensor]:
    """How well max(w1 x + b1, w2 x + b2) + c learns ReLU(x - 1), its biases shared or not."""
    x = torch.linspace(-3, 3, 201, dtype=torch.float64)[:, None]
    y = F.relu(x - 1)
    maxout = Maxout(1, 1).double()
    with torch.no_grad():
        maxout.linear.weight.copy_(torch.tensor([[1.0], [-0.5]]))
        maxout.linear.bias.zero_()
    optimizer = torch.optim.Adam(maxout.parameters(), 0.03)
    for _ in range(800):
        optimizer.zero_grad()
        loss = F.mse_loss(maxout(x), y)
        loss.backward()  # type: ignore[no-untyped-call]
        if shared and maxout.linear.bias.grad is not None:
            maxout.linear.bias.grad[:] = maxout.linear.bias.grad.sum()
        optimizer.step()
    with torch.no_grad():
        out = maxout(x)
        return float((out - y).square().mean().sqrt()), x[:, 0], out[:, 0]


def maxout_as_printed() -> Outcome:
    """Claim 65.

    Two halves. The pair (w1 x + b, w2 x + b) without a maximum is a nonlinear layer: an affine map
    of the input leaves over 1e-9 of its variance unexplained (8 inputs, 8 units, float64). And one
    bias for both maps will do: max(w1 x + b, w2 x + b), trained, comes as close to ReLU(x - 1) as
    0.02 (root mean square over [-3, 3]). Maxout as published is measured beside it.
    """
    chance = generator(0)
    x = torch.randn(1000, 8, generator=chance, dtype=torch.float64)
    w = torch.randn(2, 8, 8, generator=chance, dtype=torch.float64)
    pair = torch.cat([x @ w[0] + 0.5, x @ w[1] + 0.5], 1)
    printed = unexplained(x, pair)
    maximum = unexplained(x, torch.maximum(x @ w[0] + 0.5, x @ w[1] + 0.5))
    one, points, of_one = _fit(shared=True)
    own, _, of_own = _fit(shared=False)
    measured = Words(
        f"Without the maximum an affine map explains all but {printed:.0e} of the variance, and "
        f"there are {pair.shape[1]} outputs for 8 units; with it {maximum:.0%} is left. Fitted to "
        f"ReLU(x - 1), one shared bias leaves an error of {one:.2g}, a bias each "
        f"{own:.1e}.",
        f"不取最大值时，仿射映射能解释全部方差，只剩 {printed:.0e}，而且 8 个单元给出 "
        f"{pair.shape[1]} 个输出；取最大值后剩 {maximum:.0%}。拟合 ReLU(x - 1) 时，"
        f"共用一个偏置的误差为 {one:.2g}，各用各的偏置则为 {own:.1e}。",
    )
    curves = Plot(
        Words(
            "The maximum of two lines, fitted to ReLU(x − 1)", "以两条直线的最大值拟合 ReLU(x − 1)"
        ),
        INPUT,
        OUTPUT,
        (
            line("ReLU(x − 1)", points.tolist(), F.relu(points - 1).tolist()),
            line(Words("one shared bias", "共用偏置"), points.tolist(), of_one.tolist()),
            line(Words("a bias each", "各用偏置"), points.tolist(), of_own.tolist()),
        ),
    )
    bars = Bars(
        Words("What no affine map explains", "仿射映射无法解释的方差占比"),
        (Words("as printed", "照原式"), Words("with the maximum", "取最大值")),
        (printed, maximum),
        Words("share of the variance", "方差占比"),
        log=True,
    )
    figures = {"left.printed": once(printed), "left.maximum": once(maximum),
               "fit.shared": once(one), "fit.own": once(own)}  # fmt: skip
    return Outcome(halves(printed > 1e-9, one < 0.02), measured, figures, (curves, bars))
