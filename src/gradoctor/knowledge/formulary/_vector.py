"""Activations over several inputs: softmax, maxout and gated units."""

from __future__ import annotations

import math
from collections.abc import Sequence

from gradoctor.knowledge.formulary._activation import VectorActivation, sweep
from gradoctor.knowledge.formulary._saturating import sigmoid, sigmoid_slope
from gradoctor.knowledge.formulary._smooth import silu, silu_slope
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Curve, Picture, Plot

Row = list[float]


def log_softmax(x: Sequence[float]) -> Row:
    """The logarithm of softmax: the largest is taken off first, so nothing overflows."""
    top = max(x)
    rest = math.log(math.fsum(math.exp(v - top) for v in x))
    return [v - top - rest for v in x]


def softmax(x: Sequence[float]) -> Row:
    """Exponentials that add up to 1."""
    return [math.exp(v) for v in log_softmax(x)]


def softmax_jacobian(x: Sequence[float]) -> list[Row]:
    """diag(p) - p pᵀ."""
    p = softmax(x)
    return [[a * ((i == j) - b) for j, b in enumerate(p)] for i, a in enumerate(p)]


def log_softmax_jacobian(x: Sequence[float]) -> list[Row]:
    """I - 1 pᵀ."""
    p = softmax(x)
    return [[(i == j) - b for j, b in enumerate(p)] for i in range(len(p))]


def maxout(x: Sequence[float]) -> Row:
    """The largest of the pieces."""
    return [max(x)]


def maxout_jacobian(x: Sequence[float]) -> list[Row]:
    """1 for the largest piece; pieces that tie share it evenly, as in ``torch.amax``."""
    top = max(x)
    ties = sum(v == top for v in x)
    return [[(v == top) / ties for v in x]]


def halves(x: Sequence[float]) -> tuple[Sequence[float], Sequence[float]]:
    """The first half and the second."""
    half = len(x) // 2
    return x[:half], x[half:]


def glu(x: Sequence[float]) -> Row:
    """The first half times the sigmoid of the second."""
    return [a * sigmoid(b) for a, b in zip(*halves(x), strict=True)]


def glu_jacobian(x: Sequence[float]) -> list[Row]:
    """By the first half, then by the second."""
    first, second = halves(x)
    slopes = [a * sigmoid_slope(b) for a, b in zip(first, second, strict=True)]
    return _beside([sigmoid(b) for b in second], slopes)


def swiglu(x: Sequence[float]) -> Row:
    """SiLU of the first half times the second."""
    return [silu(a) * b for a, b in zip(*halves(x), strict=True)]


def swiglu_jacobian(x: Sequence[float]) -> list[Row]:
    """By the first half, then by the second."""
    first, second = halves(x)
    slopes = [silu_slope(a) * b for a, b in zip(first, second, strict=True)]
    return _beside(slopes, [silu(a) for a in first])


def _beside(left: Row, right: Row) -> list[Row]:
    """Two diagonal matrices side by side."""
    size = len(left)
    return [
        [side[i] if i == j else 0.0 for side in (left, right) for j in range(size)]
        for i in range(size)
    ]


def _draw_softmax() -> tuple[Picture, ...]:
    gap = sweep(-8, 8)
    p = tuple(softmax((g, 0.0))[0] for g in gap)
    slope = tuple(softmax_jacobian((g, 0.0))[0][0] for g in gap)
    ahead = sweep(0, 15, 151)
    sums = tuple(
        Curve(
            Words(f"{n} classes", f"{n} 类"),
            ahead,
            tuple(softmax_jacobian((g, *[0.0] * (n - 1)))[0][0] for g in ahead),
        )
        for n in (2, 10, 100)
    )
    return (
        Plot(
            Words("Two classes", "两个类别"),
            Words("logit of class 1 minus logit of class 2", "第 1 类与第 2 类的 logit 之差"),
            Words("value", "值"),
            (Curve(Words.same("p₁"), gap, p), Curve(Words.same("∂p₁/∂x₁ = p₁ (1 − p₁)"), gap, slope)),
        ),
        Plot(
            Words("The slope dies once a class leads", "某一类领先后斜率消失"),
            Words("lead of the first logit over all others", "第一个 logit 领先其余的幅度"),
            Words.same("∂p₁/∂x₁"),
            sums,
            log_y=True,
        ),
    )  # fmt: skip


def _draw_log_softmax() -> tuple[Picture, ...]:
    gap = sweep(-8, 8)
    rows = tuple(log_softmax((g, 0.0))[0] for g in gap)
    slope = tuple(log_softmax_jacobian((g, 0.0))[0][0] for g in gap)
    return (
        Plot(
            Words("Two classes", "两个类别"),
            Words("logit of class 1 minus logit of class 2", "第 1 类与第 2 类的 logit 之差"),
            Words("value", "值"),
            (Curve(Words.same("log p₁"), gap, rows), Curve(Words.same("1 − p₁"), gap, slope)),
        ),
    )


def _draw_maxout() -> tuple[Picture, ...]:
    x = sweep(-3, 3)
    pieces = ((-1.0, -0.5), (0.2, 0.3), (1.5, -1.2))
    lines = [[a * v + b for a, b in pieces] for v in x]
    slopes = tuple(
        sum(s * a for s, (a, _) in zip(maxout_jacobian(row)[0], pieces, strict=True))
        for row in lines
    )
    return (
        Plot(
            Words("Three linear pieces and their maximum", "三段线性函数及其最大值"),
            Words("input x", "输入 x"),
            Words("value", "值"),
            (
                Curve(Words("maximum", "最大值"), x, tuple(maxout(row)[0] for row in lines)),
                Curve(Words("its slope", "其斜率"), x, slopes),
                *(
                    Curve(Words(f"piece {k + 1}", f"第 {k + 1} 段"), x, tuple(r[k] for r in lines))
                    for k in range(len(pieces))
                ),
            ),
        ),
    )


def _draw_glu() -> tuple[Picture, ...]:
    b = sweep(-6, 6)
    curves = [
        Curve(Words.same(f"a = {a:g}"), b, tuple(glu((a, v))[0] for v in b)) for a in (-1, 0.5, 2)
    ]
    kept = Curve(Words("∂f/∂a = σ(b)", "∂f/∂a = σ(b)"), b, tuple(map(sigmoid, b)))
    return (
        Plot(
            Words("The gate lets a through", "门控制 a 的通过"),
            Words("gate b", "门 b"),
            Words.same("a σ(b)"),
            (*curves, kept),
        ),
    )  # fmt: skip


def _draw_swiglu() -> tuple[Picture, ...]:
    x = sweep(-4, 4)
    return (
        Plot(
            Words("Both halves equal: it grows like a square", "两半相等时：按平方增长"),
            Words("a = b = x", "a = b = x"),
            Words("value", "值"),
            (
                Curve(Words.same("silu(x) · x"), x, tuple(swiglu((v, v))[0] for v in x)),
                Curve(Words.same("silu(x)"), x, tuple(map(silu, x))),
                Curve(Words.same("x²"), x, tuple(v * v for v in x)),
            ),
        ),
        Plot(
            Words("Slopes by the gate and by the value, b = 1", "b = 1 时对门与对值的斜率"),
            Words("gate a", "门 a"),
            Words("slope", "斜率"),
            (
                Curve(Words.same("∂f/∂a"), x, tuple(swiglu_jacobian((v, 1.0))[0][0] for v in x)),
                Curve(Words.same("∂f/∂b"), x, tuple(swiglu_jacobian((v, 1.0))[0][1] for v in x)),
            ),
        ),
    )


ENTRIES = (
    VectorActivation(
        name="maxout",
        title=Words("Maxout", "Maxout（极大输出）"),
        formula="f(x) = max(x₁, …, x_k),  each piece a linear map of its own",
        derivative="∂f/∂x_i = 1 for the largest piece, else 0 (ties share evenly in torch.amax)",
        range="(−∞, ∞)",
        limits="convex and piecewise linear; with enough pieces any convex function",
        gradient=Words(
            "Exactly one piece passes the whole gradient, so nothing is ever dead as a whole; but a piece that never wins is never trained. With two pieces E[max²] = 1: gain 1 keeps signal and gradient, χ = 1. With more pieces the gain must be smaller (four pieces: 0.803).",
            "总有一段把梯度全部传下去，因此整个单元不会死亡；但从不胜出的那段永远得不到训练。两段时 E[max²] = 1：增益 1 即可保持信号与梯度，χ = 1。段数更多时增益应更小（四段：0.803）。",
        ),
        cost=Words(
            "k times the weights and multiplications of a layer, k − 1 comparisons; with `amax` autograd keeps input and output.",
            "权重与乘法是普通层的 k 倍，另有 k − 1 次比较；用 `amax` 时反向传播保存输入和输出。",
        ),
        use=Words(
            "With dropout, which it was made for; where ReLU units die and parameters are cheap.",
            "配合 Dropout（它为此而设计）；ReLU 单元易死而参数不紧张的场合。",
        ),
        avoid=Words(
            "Where parameters or memory count: for the same number a wider ReLU layer usually does better.",
            "参数或内存紧张时：同样的参数量，更宽的 ReLU 层通常更好。",
        ),
        torch="",
        code="from gradoctor.nn import Maxout\nlayer = Maxout(64, 32, pieces=2)\ny = layer(torch.randn(4, 64))",
        reference="Goodfellow, Warde-Farley, Mirza, Courville, Bengio: Maxout networks. ICML 2013.",
        value=maxout,
        jacobian=maxout_jacobian,
        gain=1.0,
        chi=1.0,
        shape=Words(
            "k pieces give 1 output; gain and χ for k = 2", "k 段给出 1 个输出；增益与 χ 按 k = 2"
        ),
        draw=_draw_maxout,
    ),
    VectorActivation(
        name="softmax",
        title=Words("Softmax", "Softmax"),
        formula="p_i = exp(x_i) / Σ_j exp(x_j)",
        derivative="∂p_i/∂x_j = p_i ([i = j] − p_j)",
        range="(0, 1), adding up to 1",
        limits="one x_i → +∞: p_i → 1, all others → 0",
        gradient=Words(
            "At most 1/4 (two classes, even odds); 1/n (1 − 1/n) for n equal logits. It dies when one class leads: a lead of 10 over one other class leaves 4.5e-5. The rows of the Jacobian add up to 0: adding a constant to all logits changes nothing. In attention, scores grow like √d unless divided by it, and then it saturates.",
            "最大 1/4（两类且概率相等）；n 个 logit 相等时为 1/n (1 − 1/n)。某一类领先时消失：两类相差 10 时只剩 4.5e-5。雅可比矩阵每行之和为 0：所有 logit 同加一个常数，结果不变。注意力中若不除以 √d，得分会按 √d 增大而导致饱和。",
        ),
        cost=Words(
            "An exponential per element, a maximum and a sum per row; autograd keeps the output.",
            "每个元素一次指数，每行一次求最大、一次求和；反向传播保存输出。",
        ),
        use=Words(
            "Attention weights, mixtures, and reading probabilities off a trained classifier.",
            "注意力权重、混合系数，以及从训练好的分类器读取概率。",
        ),
        avoid=Words(
            "Before `CrossEntropyLoss`, which contains it: with softmax twice, 10 classes cannot get below 1.46. A row whose inputs are all −∞ (fully masked) gives NaN. Always name `dim`.",
            "放在 `CrossEntropyLoss` 之前（它已包含 Softmax）：做两次 Softmax，10 类的损失降不到 1.46 以下。整行全为 −∞（全被掩码）时得到 NaN。务必写明 `dim`。",
        ),
        torch="torch.nn.Softmax",
        code="weights = nn.Softmax(dim=-1)(torch.randn(4, 8))",
        reference="Bridle: Probabilistic interpretation of feedforward classification network outputs. In: Neurocomputing, 1990.",
        value=softmax,
        jacobian=softmax_jacobian,
        shape=Words("n inputs give n probabilities", "n 个输入给出 n 个概率"),
        draw=_draw_softmax,
    ),
    VectorActivation(
        name="log_softmax",
        title=Words("Log-softmax", "对数 Softmax"),
        formula="f_i = x_i − log Σ_j exp(x_j)",
        derivative="∂f_i/∂x_j = [i = j] − p_j,  p = softmax(x)",
        range="(−∞, 0)",
        limits="one x_i → +∞: f_i → 0, f_j → x_j − x_i",
        gradient=Words(
            "1 − p_i for its own logit: near 1 while the class is improbable, 0 once it is certain. So a confident mistake still gets the full gradient, where softmax followed by a logarithm underflows: `torch.log(torch.softmax(x, -1))` is −∞ from a lead of about 104 in float32.",
            "对自己的 logit 为 1 − p_i：该类概率小时接近 1，确定之后为 0。所以自信的错误仍得到完整的梯度；而先 Softmax 再取对数会下溢：float32 中领先约 104 时 `torch.log(torch.softmax(x, -1))` 已是 −∞。",
        ),
        cost=Words(
            "An exponential per element, one logarithm per row; autograd keeps the output.",
            "每个元素一次指数，每行一次对数；反向传播保存输出。",
        ),
        use=Words(
            "Before `NLLLoss` or `KLDivLoss`; log-likelihoods of sequences; beam search.",
            "`NLLLoss` 或 `KLDivLoss` 之前；序列的对数似然；束搜索。",
        ),
        avoid=Words(
            "Before `CrossEntropyLoss`: log-softmax of a log-softmax is the same, so nothing breaks, but the work is done twice.",
            "放在 `CrossEntropyLoss` 之前：对数 Softmax 做两次结果相同，不会出错，只是白算一遍。",
        ),
        torch="torch.nn.LogSoftmax",
        code="logp = nn.LogSoftmax(dim=-1)(torch.randn(4, 8))\nloss = nn.NLLLoss()(logp, torch.tensor([0, 1, 2, 3]))",
        reference="Bridle: Probabilistic interpretation of feedforward classification network outputs. In: Neurocomputing, 1990.",
        value=log_softmax,
        jacobian=log_softmax_jacobian,
        shape=Words("n inputs give n log-probabilities", "n 个输入给出 n 个对数概率"),
        draw=_draw_log_softmax,
    ),
    VectorActivation(
        name="glu",
        title=Words("GLU (gated linear unit)", "门控线性单元（GLU）"),
        formula="f(a, b) = a σ(b),  a the first half of the inputs, b the second",
        derivative="∂f/∂a = σ(b),  ∂f/∂b = a σ(b) (1 − σ(b))",
        range="(−∞, ∞)",
        limits="b → −∞: 0, b → +∞: a",
        gradient=Words(
            "The path through a is linear: an open gate passes the gradient unchanged, a shut one passes nothing. The path through b is a sigmoid's, at most |a|/4. At the gain that keeps the signal the gradient grows by 0.10 bits per layer: gating costs no vanishing.",
            "经过 a 的通路是线性的：门开则梯度原样通过，门关则不通过。经过 b 的通路同 Sigmoid，至多 |a|/4。增益取保持信号的值时，梯度每层增大 0.10 比特：门控并不带来梯度消失。",
        ),
        cost=Words(
            "One exponential, one division, one product per output, and twice the weights before it; autograd keeps the input.",
            "每个输出一次指数、一次除法、一次乘法，其前的权重加倍；反向传播保存输入。",
        ),
        use=Words(
            "Convolutional sequence models, tabular networks, conformers.",
            "卷积序列模型、表格数据网络、Conformer。",
        ),
        avoid=Words(
            "An odd number of features (PyTorch raises); forgetting that the output is half as wide.",
            "特征数为奇数（PyTorch 会报错）；忘记输出宽度减半。",
        ),
        torch="torch.nn.GLU",
        code="y = nn.GLU(dim=-1)(nn.Linear(64, 128)(torch.randn(4, 64)))  # 64 wide again",
        reference="Dauphin, Fan, Auli, Grangier: Language modeling with gated convolutional networks. ICML 2017.",
        aliases=("gated_linear_unit",),
        value=glu,
        jacobian=glu_jacobian,
        gain=1.8462285,
        chi=1.1528270,
        shape=Words("2n inputs give n outputs", "2n 个输入给出 n 个输出"),
        draw=_draw_glu,
    ),
    VectorActivation(
        name="swiglu",
        title=Words("SwiGLU", "SwiGLU"),
        formula="f(a, b) = silu(a) b = a σ(a) b",
        derivative="∂f/∂a = silu′(a) b,  ∂f/∂b = silu(a)",
        range="(−∞, ∞)",
        limits="quadratic: f(t a, t b) → t² a b for a > 0, t → +∞",
        gradient=Words(
            "A product of two linear maps: the output grows like the square of the inputs' scale, and so do outliers; no scale keeps the signal steady by itself. At the gain that keeps N(0, 1) the gradient grows by 0.52 bits per layer (× 1.44), so it lives inside residual blocks behind a normaliser.",
            "两个线性映射之积：输出随输入尺度的平方增长，离群值也随之放大；没有哪个尺度能自行稳定信号。增益取保持 N(0, 1) 的值时，梯度每层增大 0.52 比特（× 1.44），因此应放在归一化层之后的残差块内。",
        ),
        cost=Words(
            "Three weight matrices in place of two (hidden size 2/3 as large for the same number), one exponential per output; autograd keeps both halves and the gate's value.",
            "三个权重矩阵而非两个（参数量相同时隐藏宽度取 2/3），每个输出一次指数；反向传播保存两半输入和门的值。",
        ),
        use=Words(
            "Feed-forward blocks of large language models (PaLM, LLaMA).",
            "大语言模型的前馈层（PaLM、LLaMA）。",
        ),
        avoid=Words(
            "Without normalisation; in float16, where the product overflows at 65504; in FP8 without watching outliers.",
            "没有归一化；float16（乘积超过 65504 即溢出）；FP8 而不留意离群值。",
        ),
        torch="",
        code="from gradoctor.nn import SwiGLU\nblock = SwiGLU(64)\ny = block(torch.randn(4, 64))",
        reference="Shazeer: GLU variants improve Transformer. arXiv 2020.",
        aliases=("swish_glu",),
        value=swiglu,
        jacobian=swiglu_jacobian,
        gain=1.6765325,
        chi=2.0666342,
        shape=Words("2n inputs give n outputs", "2n 个输入给出 n 个输出"),
        draw=_draw_swiglu,
    ),
)
