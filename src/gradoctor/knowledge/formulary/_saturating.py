"""Activations that level off: sigmoid, tanh and their relatives."""

from __future__ import annotations

import math

from gradoctor.knowledge.formulary._activation import INFINITY, Activation, draw
from gradoctor.knowledge.language import Words


def sigmoid(x: float) -> float:
    """1 / (1 + exp(-x)), without overflow."""
    small = math.exp(-abs(x))
    return small / (1 + small) if x < 0 else 1 / (1 + small)


def sigmoid_slope(x: float) -> float:
    """The slope of the sigmoid."""
    return sigmoid(x) * sigmoid(-x)


def tanh_slope(x: float) -> float:
    """The slope of tanh, without cancellation."""
    small = math.exp(-2 * abs(x))
    return 4 * small / (1 + small) ** 2


def softsign(x: float) -> float:
    """x / (1 + |x|)."""
    return x / (1 + abs(x)) if math.isfinite(x) else math.nan


def softsign_slope(x: float) -> float:
    """The slope of softsign."""
    return float((1 + abs(x)) ** -2) if math.isfinite(x) else math.nan


def softplus(x: float) -> float:
    """log(1 + exp(x)), without overflow."""
    return (x if x > 0 else 0.0) + math.log1p(math.exp(-abs(x)))


def logsigmoid(x: float) -> float:
    """log of the sigmoid: -softplus(-x)."""
    return -softplus(-x)


def logsigmoid_slope(x: float) -> float:
    """The slope of logsigmoid."""
    return sigmoid(-x)


def hardtanh(x: float) -> float:
    """The input, cut off at -1 and 1."""
    return -1.0 if x < -1 else 1.0 if x > 1 else x


def hardtanh_slope(x: float) -> float:
    """1 strictly between -1 and 1; at both ends PyTorch gives 0."""
    return 0.0 if abs(x) >= 1 else 1.0


def hardsigmoid(x: float) -> float:
    """x / 6 + 1/2, cut off at 0 and 1."""
    return 0.0 if x < -3 else 1.0 if x > 3 else x / 6 + 0.5


def hardsigmoid_slope(x: float) -> float:
    """1/6 strictly between -3 and 3; at both ends PyTorch gives 0."""
    return 1 / 6 if abs(x) < 3 else 0.0


ENTRIES = (
    Activation(
        name="sigmoid",
        title=Words("Sigmoid (logistic function)", "Sigmoid（逻辑斯谛函数）"),
        formula="σ(x) = 1 / (1 + e^(−x))",
        derivative="σ′(x) = σ(x) (1 − σ(x)) ≤ 1/4",
        range="(0, 1)",
        limits="x → −∞: 0, x → +∞: 1",
        gradient=Words(
            "The slope is at most 1/4, at x = 0. At |x| = 5 it is 0.0066, and beyond |x| = 8.29 it is under a thousandth of the maximum. Even at the gain that keeps the signal, the gradient's RMS shrinks to 0.391 of itself per layer (−1.36 bits): 20 layers leave 7e-9. All outputs are positive, so for one example the gradients of all incoming weights of a unit have the same sign.",
            "斜率最大只有 1/4，在 x = 0 处取得；|x| = 5 时为 0.0066，|x| > 8.29 后不足最大值的千分之一。即使增益恰好能保持信号强度，梯度的均方根每过一层也只剩 0.391 倍（−1.36 比特），20 层后剩 7e-9。输出全为正，因此对单个样本而言，同一单元的各输入权重的梯度同号。",
        ),
        cost=Words(
            "One exponential and one division per element; autograd keeps the output only.",
            "每个元素一次指数、一次除法；反向传播只需保存输出。",
        ),
        use=Words(
            "Gates of LSTM, GRU and attention-like modules, and probabilities of independent labels; train those with `BCEWithLogitsLoss` on the logits, the sigmoid left out of the model.",
            "LSTM、GRU 等的门控，以及相互独立的标签的概率；训练后者时模型不加 Sigmoid，直接对 logit 用 `BCEWithLogitsLoss`。",
        ),
        avoid=Words(
            "Hidden layers of deep networks; before MSE (the slope multiplies the gradient and kills it for confident mistakes); before a loss that applies a sigmoid itself.",
            "深层网络的隐藏层；放在均方误差之前（梯度会乘上斜率，错得越自信梯度越小）；放在自带 Sigmoid 的损失之前。",
        ),
        torch="torch.nn.Sigmoid",
        code="gate = nn.Sigmoid()(torch.randn(4, 8))  # in a gate: gate * candidate",
        reference="Rumelhart, Hinton, Williams: Learning representations by back-propagating errors. Nature 1986.",
        aliases=("logistic", "expit"),
        value=sigmoid,
        slope=sigmoid_slope,
        low=0.0,
        high=1.0,
        slope_low=0.0,
        slope_high=0.0,
        steepest=0.25,
        gain=1.8462285,
        mean=0.5,
        chi=0.1528270,
        torch_gain=1.0,
        gain_note=Words(
            "a convention that preserves nothing: the variance of the pre-activations falls to 0.26 and the gradient keeps 0.24 per layer",
            "只是约定，什么也保持不住：预激活的方差降到 0.26，梯度每层只剩 0.24 倍",
        ),
        fixed_points=((0.6590461, 0.6590461),),
        fixed=Words(
            "repeated without weights it settles there, whatever it starts from: the input is forgotten",
            "不带权重地反复作用，无论从何处出发都收敛到此：输入的信息全部丢失",
        ),
        dead=((-INFINITY, -8.2935495), (8.2935495, INFINITY)),
        draw=lambda: draw(sigmoid, sigmoid_slope, 1.8462285),
    ),
    Activation(
        name="tanh",
        title=Words("Hyperbolic tangent", "双曲正切"),
        formula="tanh(x) = (eˣ − e^(−x)) / (eˣ + e^(−x)) = 2σ(2x) − 1",
        derivative="tanh′(x) = 1 − tanh²(x) ≤ 1",
        range="(−1, 1)",
        limits="x → −∞: −1, x → +∞: 1",
        gradient=Words(
            "The slope is 1 at x = 0 and falls fast: 0.42 at |x| = 1, 0.0099 at 3, under a thousandth beyond 4.15. At the gain that keeps the signal the gradient grows by 0.12 bits per layer (× 1.085): mild. It dies where weights are too large and units sit at ±1.",
            "x = 0 处斜率为 1，随后迅速下降：|x| = 1 时 0.42，|x| = 3 时 0.0099，|x| > 4.15 后不足千分之一。增益取保持信号的值时，梯度每层增大 0.12 比特（× 1.085），很温和。权重过大、单元停在 ±1 时梯度消失。",
        ),
        cost=Words(
            "One exponential and one division per element or their like; autograd keeps the output only.",
            "每个元素约一次指数、一次除法；反向传播只需保存输出。",
        ),
        use=Words(
            "Recurrent states, bounded outputs (actions, images scaled to −1 … 1), small fully connected networks; with Xavier initialisation.",
            "循环网络的状态、有界输出（动作、缩放到 −1 … 1 的图像）、小型全连接网络；配合 Xavier 初始化。",
        ),
        avoid=Words(
            "Very deep plain networks and convolutional backbones, where ReLU or GELU train faster; inputs that are not scaled.",
            "很深的普通网络和卷积主干（ReLU 或 GELU 训练更快）；未经缩放的输入。",
        ),
        torch="torch.nn.Tanh",
        code="layer = nn.Linear(64, 64)\nnn.init.xavier_uniform_(layer.weight, gain=1.5925)\nh = nn.Tanh()(layer(torch.randn(4, 64)))",
        reference="LeCun, Bottou, Orr, Müller: Efficient BackProp. In: Neural Networks: Tricks of the Trade, 1998.",
        aliases=("hyperbolic_tangent",),
        value=math.tanh,
        slope=tanh_slope,
        low=-1.0,
        high=1.0,
        slope_low=0.0,
        slope_high=0.0,
        steepest=1.0,
        gain=1.5925374,
        mean=0.0,
        chi=1.1778072,
        torch_gain=5 / 3,
        gain_note=Words(
            "a little more than keeps a variance of 1; the pre-activations settle at a variance of 1.18",
            "略大于保持单位方差所需的值；预激活的方差最终稳定在 1.18",
        ),
        fixed=Words(
            "repeated without weights the signal creeps to 0, like sqrt(3 / (2n)) after n times",
            "不带权重地反复作用，信号缓慢趋于 0：n 次之后约为 √(3/(2n))",
        ),
        dead=((-INFINITY, -4.1467747), (4.1467747, INFINITY)),
        draw=lambda: draw(math.tanh, tanh_slope, 1.5925374),
    ),
    Activation(
        name="softsign",
        title=Words("Softsign", "Softsign"),
        formula="f(x) = x / (1 + |x|)",
        derivative="f′(x) = 1 / (1 + |x|)²",
        range="(−1, 1)",
        limits="x → −∞: −1, x → +∞: 1",
        gradient=Words(
            "It levels off like 1/x² rather than exponentially: the slope is 0.25 at |x| = 1, 0.028 at 5, and under a thousandth only beyond 30.6. At the gain that keeps the signal the gradient grows by 0.16 bits per layer.",
            "按 1/x² 而非指数速度饱和：|x| = 1 时斜率 0.25，|x| = 5 时 0.028，|x| > 30.6 后才不足千分之一。增益取保持信号的值时，梯度每层增大 0.16 比特。",
        ),
        cost=Words(
            "One division, no exponential; but PyTorch builds it of three operations and keeps two tensors, so it is rarely faster than tanh.",
            "一次除法，没有指数；但 PyTorch 由三个运算拼成，要保存两个张量，所以很少比 tanh 快。",
        ),
        use=Words(
            "As a tanh that saturates slowly, in small networks whose inputs have outliers.",
            "需要比 tanh 饱和得慢的场合，如输入有离群值的小网络。",
        ),
        avoid=Words(
            "As a default: little is tuned for it. At ±∞ PyTorch returns NaN, not ±1.",
            "不宜作默认选择：现成的调参经验很少。输入为 ±∞ 时 PyTorch 给出 NaN 而不是 ±1。",
        ),
        torch="torch.nn.Softsign",
        code="y = nn.Softsign()(torch.randn(4, 8))",
        reference="Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks. AISTATS 2010.",
        value=softsign,
        slope=softsign_slope,
        low=-1.0,
        high=1.0,
        slope_low=0.0,
        slope_high=0.0,
        steepest=1.0,
        gain=2.3375334,
        mean=0.0,
        chi=1.2440104,
        fixed=Words(
            "repeated without weights the signal creeps to 0: x becomes x / (1 + n|x|) after n times",
            "不带权重地反复作用，信号缓慢趋于 0：n 次之后 x 变为 x / (1 + n|x|)",
        ),
        dead=((-INFINITY, -30.6227766), (30.6227766, INFINITY)),
        draw=lambda: draw(softsign, softsign_slope, 2.3375334),
    ),
    Activation(
        name="softplus",
        title=Words("Softplus", "Softplus"),
        formula="f(x) = log(1 + eˣ)",
        derivative="f′(x) = σ(x)",
        range="(0, ∞)",
        limits="x → −∞: 0, x → +∞: x",
        gradient=Words(
            "The slope is the sigmoid: never 0, but under a thousandth below x = −6.91. The output is positive and its mean large (0.806), so most of what a layer passes on is a constant: at the gain that keeps the signal the gradient loses 0.83 bits per layer (× 0.564).",
            "斜率就是 Sigmoid：从不为 0，但 x < −6.91 时不足千分之一。输出恒正且均值很大（0.806），一层传下去的多半是常数：增益取保持信号的值时，梯度每层损失 0.83 比特（× 0.564）。",
        ),
        cost=Words(
            "One exponential and one logarithm per element; autograd keeps the input. Above `threshold` (20 by default) PyTorch returns x itself, an error of 2e-9.",
            "每个元素一次指数、一次对数；反向传播保存输入。超过 `threshold`（默认 20）时 PyTorch 直接返回 x，误差 2e-9。",
        ),
        use=Words(
            "Outputs that must be positive: a standard deviation, a rate, a concentration; add a small floor such as 1e-4 before dividing by it.",
            "必须为正的输出：标准差、速率、浓度参数；若要作除数，先加一个小的下限，如 1e-4。",
        ),
        avoid=Words(
            "Hidden layers: dearer than ReLU and its mean shift eats the gradient in depth.",
            "隐藏层：比 ReLU 昂贵，且均值偏移会随深度消耗梯度。",
        ),
        torch="torch.nn.Softplus",
        code="std = nn.Softplus()(torch.randn(4, 1)) + 1e-4",
        reference="Dugas, Bengio, Bélisle, Nadeau, Garcia: Incorporating second-order functional knowledge for better option pricing. NIPS 2000.",
        value=softplus,
        slope=sigmoid,
        low=0.0,
        high=INFINITY,
        slope_low=0.0,
        slope_high=1.0,
        steepest=1.0,
        gain=1.0418668,
        mean=0.8060592,
        chi=0.3184590,
        fixed_points=(),
        fixed=Words(
            "f(x) > x everywhere: repeated without weights the signal drifts upwards without end",
            "处处 f(x) > x：不带权重地反复作用，信号无止境地向上漂移",
        ),
        dead=((-INFINITY, -6.9067548),),
        draw=lambda: draw(softplus, sigmoid, 1.0418668),
    ),
    Activation(
        name="logsigmoid",
        title=Words("Log-sigmoid", "对数 Sigmoid"),
        formula="f(x) = log σ(x) = −log(1 + e^(−x))",
        derivative="f′(x) = σ(−x) = 1 − σ(x)",
        range="(−∞, 0)",
        limits="x → −∞: x, x → +∞: 0",
        gradient=Words(
            "A softplus turned about the origin: the slope is 1 for very negative x and dies for large positive x (under a thousandth beyond 6.91). As the end of a loss that is wanted: a right answer stops pulling, a confident mistake pulls with slope 1.",
            "即绕原点旋转的 Softplus：x 很负时斜率为 1，x 很大时消失（x > 6.91 后不足千分之一）。用在损失末端时这正合需要：答对的样本不再拉动，自信的错误以斜率 1 拉动。",
        ),
        cost=Words(
            "One exponential and one logarithm; autograd keeps the input and, on the CPU, a buffer of its size.",
            "一次指数、一次对数；反向传播保存输入，在 CPU 上还保存一个同样大小的缓冲区。",
        ),
        use=Words(
            "Log-probabilities of a yes/no choice: pairwise preference and contrastive losses, −logsigmoid(margin). Far more accurate than `torch.log(torch.sigmoid(x))`, which is −∞ at x = −89 in float32.",
            "二元选择的对数概率：成对偏好损失与对比损失，即 −logsigmoid(间隔)。远比 `torch.log(torch.sigmoid(x))` 准确，后者在 float32 中 x = −89 时已是 −∞。",
        ),
        avoid=Words(
            "Hidden layers; before `BCEWithLogitsLoss`, which contains it.",
            "隐藏层；放在 `BCEWithLogitsLoss` 之前（它已包含此函数）。",
        ),
        torch="torch.nn.LogSigmoid",
        code="better, worse = torch.randn(4), torch.randn(4)\nloss = -nn.LogSigmoid()(better - worse).mean()",
        reference="Burges et al.: Learning to rank using gradient descent. ICML 2005 (as a pairwise loss).",
        value=logsigmoid,
        slope=logsigmoid_slope,
        low=-INFINITY,
        high=0.0,
        slope_low=1.0,
        slope_high=0.0,
        steepest=1.0,
        gain=1.0418668,
        mean=-0.8060592,
        chi=0.3184590,
        fixed_points=(),
        fixed=Words(
            "f(x) < x everywhere: repeated without weights the signal drifts downwards without end",
            "处处 f(x) < x：不带权重地反复作用，信号无止境地向下漂移",
        ),
        dead=((6.9067548, INFINITY),),
        draw=lambda: draw(logsigmoid, logsigmoid_slope, 1.0418668),
    ),
    Activation(
        name="hardtanh",
        title=Words("Hard tanh", "硬 tanh"),
        formula="f(x) = min(max(x, −1), 1)",
        derivative="f′(x) = 1 if −1 < x < 1, else 0 (PyTorch gives 0 at ±1)",
        range="[−1, 1]",
        limits="x → −∞: −1, x → +∞: 1",
        gradient=Words(
            "1 inside, exactly 0 outside: for N(0, 1) inputs 32 % of the units pass nothing back. At the gain that keeps the signal the gradient still grows by 0.20 bits per layer. A unit whose inputs all lie outside is dead and cannot come back by itself.",
            "内部为 1，外部恰好为 0：输入服从 N(0, 1) 时有 32% 的单元不回传梯度。增益取保持信号的值时，梯度每层仍增大 0.20 比特。若某单元的输入全部落在外部，它就死了，自己回不来。",
        ),
        cost=Words("Two comparisons; autograd keeps the input.", "两次比较；反向传播保存输入。"),
        use=Words(
            "Quantised or embedded networks, and the straight-through estimator of binary networks.",
            "量化网络、嵌入式部署，以及二值网络的直通估计。",
        ),
        avoid=Words(
            "Where tanh is affordable; to clamp an output that training must still be able to correct.",
            "用得起 tanh 的场合；用来截断训练中仍需纠正的输出。",
        ),
        torch="torch.nn.Hardtanh",
        code="y = nn.Hardtanh(min_val=-1.0, max_val=1.0)(torch.randn(4, 8))",
        reference="Collobert, Weston: A unified architecture for natural language processing. ICML 2008.",
        aliases=("clamp",),
        value=hardtanh,
        slope=hardtanh_slope,
        low=-1.0,
        high=1.0,
        slope_low=0.0,
        slope_high=0.0,
        steepest=1.0,
        gain=1.3920361,
        mean=0.0,
        chi=1.3228915,
        fixed_points=((-1.0, 1.0),),
        fixed=Words(
            "what has passed once passes again unchanged: the function is idempotent",
            "通过一次之后再通过不变：函数是幂等的",
        ),
        dead=((-INFINITY, -1.0), (1.0, INFINITY)),
        smooth=False,
        draw=lambda: draw(hardtanh, hardtanh_slope, 1.3920361, -3.0, 3.0),
    ),
    Activation(
        name="hardsigmoid",
        title=Words("Hard sigmoid", "硬 Sigmoid"),
        formula="f(x) = min(max(x / 6 + 1/2, 0), 1)",
        derivative="f′(x) = 1/6 if −3 < x < 3, else 0 (PyTorch gives 0 at ±3)",
        range="[0, 1]",
        limits="x → −∞: 0, x → +∞: 1",
        gradient=Words(
            "At most 1/6, less than the sigmoid's 1/4, and exactly 0 beyond |x| = 3. At the gain that keeps the signal the gradient keeps 0.316 per layer (−1.66 bits).",
            "最大 1/6，比 Sigmoid 的 1/4 还小；|x| > 3 时恰好为 0。增益取保持信号的值时，梯度每层只剩 0.316 倍（−1.66 比特）。",
        ),
        cost=Words(
            "One multiplication, one addition, two comparisons; autograd keeps the input.",
            "一次乘法、一次加法、两次比较；反向传播保存输入。",
        ),
        use=Words(
            "Gates on phones and in integer arithmetic: the squeeze-and-excitation gates of MobileNetV3.",
            "手机端和整数运算中的门控：MobileNetV3 的压缩激励（SE）门。",
        ),
        avoid=Words(
            "Hidden layers; as a probability under a logarithm: it reaches exactly 0 and 1. Keras 2 used slope 1/5: weights do not carry over.",
            "隐藏层；作为概率取对数：它会恰好取到 0 和 1。Keras 2 的斜率是 1/5，权重不能直接搬用。",
        ),
        torch="torch.nn.Hardsigmoid",
        code="gate = nn.Hardsigmoid()(torch.randn(4, 8))",
        reference="Howard et al.: Searching for MobileNetV3. ICCV 2019.",
        value=hardsigmoid,
        slope=hardsigmoid_slope,
        low=0.0,
        high=1.0,
        slope_low=0.0,
        slope_high=0.0,
        steepest=1 / 6,
        gain=1.8978404,
        mean=0.5,
        chi=0.0997798,
        fixed_points=((0.6, 0.6),),
        fixed=Words(
            "repeated without weights it settles there, six times nearer each time",
            "不带权重地反复作用会收敛到此，每次的距离缩小为六分之一",
        ),
        dead=((-INFINITY, -3.0), (3.0, INFINITY)),
        smooth=False,
        draw=lambda: draw(hardsigmoid, hardsigmoid_slope, 1.8978404),
    ),
)
