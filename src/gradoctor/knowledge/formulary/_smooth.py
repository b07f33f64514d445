"""Activations that gate their input softly: GELU, SiLU, Mish, and the piecewise copy of SiLU."""

from __future__ import annotations

import math

from gradoctor.knowledge.formulary._activation import INFINITY, Activation, draw
from gradoctor.knowledge.formulary._saturating import (
    hardsigmoid,
    sigmoid,
    sigmoid_slope,
    softplus,
    tanh_slope,
)
from gradoctor.knowledge.language import Words

TANH_SCALE, TANH_CUBE = math.sqrt(2 / math.pi), 0.044715
ONLY_ZERO = Words(
    "repeated without weights the signal shrinks to 0: for x > 0 the output is always below the input",
    "不带权重地反复作用，信号趋于 0：x > 0 时输出总小于输入",
)


def gelu(x: float) -> float:
    """x times the normal distribution function."""
    return x * math.erfc(-x / math.sqrt(2)) / 2


def gelu_slope(x: float) -> float:
    """The slope of GELU."""
    density = math.exp(-x * x / 2) / math.sqrt(2 * math.pi)
    return math.erfc(-x / math.sqrt(2)) / 2 + x * density


def gelu_tanh(x: float) -> float:
    """GELU by a hyperbolic tangent."""
    return x * sigmoid(2 * TANH_SCALE * (x + TANH_CUBE * x * x * x))


def gelu_tanh_slope(x: float) -> float:
    """The slope of that approximation."""
    inner = TANH_SCALE * (x + TANH_CUBE * x * x * x)
    return sigmoid(2 * inner) + x / 2 * tanh_slope(inner) * TANH_SCALE * (1 + 3 * TANH_CUBE * x * x)


def silu(x: float) -> float:
    """x times its sigmoid."""
    return x * sigmoid(x)


def silu_slope(x: float) -> float:
    """The slope of SiLU."""
    return sigmoid(x) + x * sigmoid_slope(x)


def mish(x: float) -> float:
    """x tanh(softplus(x))."""
    return x * math.tanh(softplus(x))


def mish_slope(x: float) -> float:
    """The slope of Mish."""
    inner = softplus(x)
    return math.tanh(inner) + x * tanh_slope(inner) * sigmoid(x)


def hardswish(x: float) -> float:
    """x times the hard sigmoid."""
    return x * hardsigmoid(x)


def hardswish_slope(x: float) -> float:
    """Its slope; at -3 and 3 PyTorch gives that of the outer side."""
    return 0.0 if x <= -3 else 1.0 if x >= 3 else x / 3 + 0.5


ENTRIES = (
    Activation(
        name="gelu",
        title=Words("GELU (Gaussian error linear unit)", "高斯误差线性单元（GELU）"),
        formula="f(x) = x Φ(x),  Φ the distribution function of N(0, 1)",
        derivative="f′(x) = Φ(x) + x φ(x)",
        range="[−0.16997, ∞)",
        limits="x → −∞: 0, x → +∞: x",
        gradient=Words(
            "Smooth; 0.5 at 0, at most 1.129 (at √2), at least −0.129 (at −√2), and 0 at the minimum of the function, −0.16997 at x = −0.7518. It dies far left only: under a thousandth below −3.78. At its gain the gradient grows by 0.05 bits per layer.",
            "光滑；0 处为 0.5，最大 1.129（在 √2），最小 −0.129（在 −√2），在函数的最小值处（x = −0.7518，值 −0.16997）为 0。只在左侧远处消失：x < −3.78 时不足千分之一。取自己的增益时梯度每层增大 0.05 比特。",
        ),
        cost=Words(
            "One error function forwards, an exponential more backwards; autograd keeps the input.",
            "前向一次误差函数，反向再加一次指数；反向传播保存输入。",
        ),
        use=Words(
            "Transformers (BERT, GPT, ViT) and ConvNeXt; a safe default wherever layers are normalised.",
            "Transformer（BERT、GPT、ViT）与 ConvNeXt；只要有归一化层，都是稳妥的默认选择。",
        ),
        avoid=Words(
            "Small convolutional networks on slow hardware, where ReLU does as well. Do not mix the exact and the tanh form between training and use.",
            "慢速硬件上的小卷积网络（ReLU 效果相当）。训练与部署不要混用精确形式和 tanh 形式。",
        ),
        torch="torch.nn.GELU",
        code="y = nn.GELU()(torch.randn(4, 8))",
        reference="Hendrycks, Gimpel: Gaussian error linear units (GELUs). arXiv 2016.",
        value=gelu,
        slope=gelu_slope,
        low=0.0,
        high=INFINITY,
        slope_low=0.0,
        slope_high=1.0,
        steepest=1.12890414,
        gain=1.5335304,
        mean=0.2820948,
        chi=1.0720316,
        fixed=ONLY_ZERO,
        dead=((-INFINITY, -3.775674), (-0.754414, -0.7491814)),
        monotone=False,
        draw=lambda: draw(gelu, gelu_slope, 1.5335304),
    ),
    Activation(
        name="gelu_tanh",
        title=Words("GELU, tanh approximation", "GELU 的 tanh 近似"),
        formula="f(x) = x/2 (1 + tanh(√(2/π) (x + 0.044715 x³)))",
        derivative="f′(x) = (1 + t)/2 + x/2 (1 − t²) √(2/π) (1 + 0.134145 x²),  t the tanh above",
        range="[−0.17004, ∞)",
        limits="x → −∞: 0, x → +∞: x",
        gradient=Words(
            "Within 0.0005 of GELU in value and 0.0009 in slope; its minimum is −0.17004 at −0.7525, and it dies below −3.71. For training the two are the same.",
            "与 GELU 的值相差不超过 0.0005，斜率相差不超过 0.0009；最小值 −0.17004，在 −0.7525；x < −3.71 后梯度消失。就训练而言二者等价。",
        ),
        cost=Words(
            "One tanh and a cubic; once much cheaper than the error function, today about equal; autograd keeps the input.",
            "一次 tanh 加一个三次多项式；过去比误差函数便宜得多，如今差别不大；反向传播保存输入。",
        ),
        use=Words(
            "Weights that were trained with it: GPT-2 and many checkpoints from TensorFlow or JAX.",
            "沿用以它训练的权重：GPT-2，以及许多来自 TensorFlow、JAX 的权重。",
        ),
        avoid=Words(
            "A new model without such a heritage: the exact form is PyTorch's default.",
            "没有这类历史包袱的新模型：PyTorch 默认就是精确形式。",
        ),
        torch="torch.nn.GELU",
        code='y = nn.GELU(approximate="tanh")(torch.randn(4, 8))',
        reference="Hendrycks, Gimpel: Gaussian error linear units (GELUs). arXiv 2016.",
        aliases=("gelu_new", "gelu_approximate"),
        value=gelu_tanh,
        slope=gelu_tanh_slope,
        low=0.0,
        high=INFINITY,
        slope_low=0.0,
        slope_high=1.0,
        steepest=1.12899307,
        gain=1.5335805,
        mean=0.2820386,
        chi=1.0720240,
        fixed=ONLY_ZERO,
        dead=((-INFINITY, -3.7062687), (-0.7550908, -0.7498445)),
        monotone=False,
        draw=lambda: draw(gelu_tanh, gelu_tanh_slope, 1.5335805),
    ),
    Activation(
        name="silu",
        title=Words("SiLU (Swish)", "SiLU（Swish）"),
        formula="f(x) = x σ(x)",
        derivative="f′(x) = σ(x) (1 + x (1 − σ(x)))",
        range="[−0.27846, ∞)",
        limits="x → −∞: 0, x → +∞: x",
        gradient=Words(
            "Smooth; 0.5 at 0, at most 1.0998 (at 2.40), at least −0.0998 (at −2.40), 0 at the minimum of the function, −0.27846 at −1.2785. It dies slowly on the left: under a thousandth below −8.88. At its gain the gradient grows by 0.05 bits per layer.",
            "光滑；0 处为 0.5，最大 1.0998（在 2.40），最小 −0.0998（在 −2.40），在函数最小值处（x = −1.2785，值 −0.27846）为 0。左侧消失得慢：x < −8.88 才不足千分之一。取自己的增益时梯度每层增大 0.05 比特。",
        ),
        cost=Words(
            "One exponential and one division; autograd keeps the input. At −∞ PyTorch gives NaN (−∞ × 0), so mask before it with a finite number.",
            "一次指数、一次除法；反向传播保存输入。输入 −∞ 时 PyTorch 给出 NaN（−∞ × 0），其前的掩码应填有限值。",
        ),
        use=Words(
            "EfficientNet, YOLO, diffusion U-Nets, and the gate of SwiGLU in language models.",
            "EfficientNet、YOLO、扩散模型的 U-Net，以及大语言模型 SwiGLU 的门。",
        ),
        avoid=Words(
            "Integer arithmetic (take hardswish); tiny networks where ReLU is as good and cheaper.",
            "整数运算（改用 Hardswish）；ReLU 同样好而更便宜的小网络。",
        ),
        torch="torch.nn.SiLU",
        code="y = nn.SiLU()(torch.randn(4, 8))",
        reference="Elfwing, Uchibe, Doya: Sigmoid-weighted linear units for neural network function approximation in reinforcement learning. Neural Networks 2018.",
        aliases=("swish",),
        value=silu,
        slope=silu_slope,
        low=0.0,
        high=INFINITY,
        slope_low=0.0,
        slope_high=1.0,
        steepest=1.09983932,
        gain=1.6765325,
        mean=0.2066210,
        chi=1.0666342,
        fixed=ONLY_ZERO,
        dead=((-INFINITY, -8.8761309), (-1.2835313, -1.2734321)),
        monotone=False,
        draw=lambda: draw(silu, silu_slope, 1.6765325),
    ),
    Activation(
        name="mish",
        title=Words("Mish", "Mish"),
        formula="f(x) = x tanh(log(1 + eˣ))",
        derivative="f′(x) = tanh(s) + x σ(x) (1 − tanh²(s)),  s = log(1 + eˣ)",
        range="[−0.30884, ∞)",
        limits="x → −∞: 0, x → +∞: x",
        gradient=Words(
            "Smooth; 0.6 at 0, at most 1.0885 (at 1.49), at least −0.1125 (at −2.26), 0 at the minimum of the function, −0.30884 at −1.1924. Under a thousandth below −8.89. At its gain the gradient grows by 0.04 bits per layer.",
            "光滑；0 处为 0.6，最大 1.0885（在 1.49），最小 −0.1125（在 −2.26），在函数最小值处（x = −1.1924，值 −0.30884）为 0。x < −8.89 时不足千分之一。取自己的增益时梯度每层增大 0.04 比特。",
        ),
        cost=Words(
            "An exponential, a logarithm and a tanh: the dearest of its kind; autograd keeps the input.",
            "一次指数、一次对数、一次 tanh，是同类中最贵的；反向传播保存输入。",
        ),
        use=Words(
            "Object detectors that were tuned with it (YOLOv4).",
            "以它调好的目标检测器（YOLOv4）。",
        ),
        avoid=Words(
            "As a default: SiLU and GELU do as well for fewer operations.",
            "不宜作默认：SiLU 与 GELU 运算更少而效果相当。",
        ),
        torch="torch.nn.Mish",
        code="y = nn.Mish()(torch.randn(4, 8))",
        reference="Misra: Mish: A self regularized non-monotonic activation function. BMVC 2020.",
        value=mish,
        slope=mish_slope,
        low=0.0,
        high=INFINITY,
        slope_low=0.0,
        slope_high=1.0,
        steepest=1.08849816,
        gain=1.4868476,
        mean=0.2404039,
        chi=1.0591180,
        fixed=ONLY_ZERO,
        dead=((-INFINITY, -8.8881743), (-1.1965216, -1.1883663)),
        monotone=False,
        draw=lambda: draw(mish, mish_slope, 1.4868476),
    ),
    Activation(
        name="hardswish",
        title=Words("Hard swish", "硬 Swish（Hardswish）"),
        formula="f(x) = x min(max(x + 3, 0), 6) / 6",
        derivative="f′(x) = 0 if x ≤ −3, 1 if x ≥ 3, else x/3 + 1/2",
        range="[−0.375, ∞)",
        limits="x → −∞: 0, x → +∞: x",
        gradient=Words(
            "Exactly 0 at and below −3, a line from −0.5 to 1.5 between −3 and 3, then 1: it jumps at both ends. 0 also at the minimum, −0.375 at −1.5. At its gain the gradient grows by 0.06 bits per layer.",
            "x ≤ −3 时恰好为 0；−3 与 3 之间由 −0.5 线性升到 1.5，之后为 1，两端都有跳变。在最小值处（x = −1.5，值 −0.375）也为 0。取自己的增益时梯度每层增大 0.06 比特。",
        ),
        cost=Words(
            "Two comparisons and two multiplications, no exponential; autograd keeps the input.",
            "两次比较、两次乘法，没有指数；反向传播保存输入。",
        ),
        use=Words(
            "Mobile networks, where it stands for SiLU (MobileNetV3).",
            "移动端网络，用来代替 SiLU（MobileNetV3）。",
        ),
        avoid=Words(
            "On a GPU, where SiLU costs the same; unnormalised inputs, which lie outside −3 … 3.",
            "GPU 上（SiLU 的开销一样）；未经归一化的输入（会落到 −3 … 3 之外）。",
        ),
        torch="torch.nn.Hardswish",
        code="y = nn.Hardswish()(torch.randn(4, 8))",
        reference="Howard et al.: Searching for MobileNetV3. ICCV 2019.",
        aliases=("hardsilu",),
        value=hardswish,
        slope=hardswish_slope,
        low=0.0,
        high=INFINITY,
        slope_low=0.0,
        slope_high=1.0,
        steepest=1.5,
        gain=1.7366572,
        mean=0.1662167,
        chi=1.0813233,
        fixed_points=((0.0, 0.0), (3.0, INFINITY)),
        fixed=Words(
            "inputs above 3 pass unchanged; those between 0 and 3 shrink to 0",
            "大于 3 的输入原样通过；0 与 3 之间的反复作用后趋于 0",
        ),
        dead=((-INFINITY, -3.0), (-1.5045, -1.4955)),
        monotone=False,
        smooth=False,
        draw=lambda: draw(hardswish, hardswish_slope, 1.7366572),
    ),
)
