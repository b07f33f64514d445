"""Activations that pass positive inputs on and damp negative ones: ReLU and its relatives."""

from __future__ import annotations

import math
from functools import partial

from gradoctor.knowledge.formulary._activation import INFINITY, Activation, Interval, draw
from gradoctor.knowledge.language import Words

LEAKY = 0.01
PRELU = 0.25
RRELU = (1 / 8 + 1 / 3) / 2
SELU_SCALE, SELU_ALPHA = 1.0507009873554804934, 1.6732632423543772848
UPWARDS: tuple[Interval, ...] = ((0.0, INFINITY),)
KEPT = Words(
    "positive inputs pass unchanged, however often: the gradient has a path of slope 1",
    "正输入反复通过也不变：梯度有一条斜率为 1 的通路",
)


def identity(x: float) -> float:
    """The input."""
    return x


def one(x: float) -> float:
    """The slope of the identity, everywhere."""
    return 1.0


def leaky(x: float, below: float = 0.0) -> float:
    """The input where positive, ``below`` times it elsewhere; ReLU where ``below`` is 0."""
    if x <= 0:
        return below * x if below else 0.0
    return x


def leaky_slope(x: float, below: float = 0.0) -> float:
    """Its slope; at 0 PyTorch gives that of the negative side."""
    return below if x <= 0 else 1.0


def relu6(x: float) -> float:
    """ReLU, cut off at 6."""
    return 0.0 if x <= 0 else 6.0 if x > 6 else x


def relu6_slope(x: float) -> float:
    """1 strictly between 0 and 6; at both ends PyTorch gives 0."""
    return 1.0 if 0 < x < 6 else 0.0


def elu(x: float, alpha: float = 1.0, scale: float = 1.0) -> float:
    """The input where positive, alpha (exp(x) - 1) elsewhere, times ``scale``."""
    return scale * (alpha * math.expm1(x) if x <= 0 else x)


def elu_slope(x: float, alpha: float = 1.0, scale: float = 1.0) -> float:
    """The slope of ``elu``; at 0 PyTorch gives that of the negative side."""
    return scale * (alpha * math.exp(x) if x <= 0 else 1.0)


selu = partial(elu, alpha=SELU_ALPHA, scale=SELU_SCALE)
selu_slope = partial(elu_slope, alpha=SELU_ALPHA, scale=SELU_SCALE)

ENTRIES = (
    Activation(
        name="identity",
        title=Words("Identity (no activation)", "恒等（无激活）"),
        formula="f(x) = x",
        derivative="f′(x) = 1",
        range="(−∞, ∞)",
        limits="x → ±∞: x",
        gradient=Words(
            "Passes unchanged. But layers with nothing between them make one linear map: depth then adds no function that a single layer lacks, only another path for training.",
            "原样通过。但层与层之间若没有非线性，合起来只是一个线性映射：加深不会多出任何单层没有的函数，只是改变了训练的路径。",
        ),
        cost=Words("None.", "无。"),
        use=Words(
            "The last layer of a regression, logits before a loss that wants logits, the shortcut of a residual block.",
            "回归的最后一层、送入需要 logit 的损失之前、残差块的捷径。",
        ),
        avoid=Words(
            "Between hidden layers, unless a low-rank factorisation is meant.",
            "隐藏层之间，除非本意就是低秩分解。",
        ),
        torch="torch.nn.Identity",
        code="shortcut = nn.Identity()\ny = shortcut(torch.randn(4, 8))",
        reference="Saxe, McClelland, Ganguli: Exact solutions to the nonlinear dynamics of learning in deep linear neural networks. ICLR 2014.",
        aliases=("linear_activation", "none"),
        value=identity,
        slope=one,
        low=-INFINITY,
        high=INFINITY,
        slope_low=1.0,
        slope_high=1.0,
        steepest=1.0,
        gain=1.0,
        mean=0.0,
        chi=1.0,
        torch_gain=1.0,
        fixed_points=((-INFINITY, INFINITY),),
        fixed=Words("nothing is lost", "没有任何损失"),
        draw=lambda: draw(identity, one, 1.0),
    ),
    Activation(
        name="relu",
        title=Words("ReLU (rectified linear unit)", "ReLU（修正线性单元）"),
        formula="f(x) = max(x, 0)",
        derivative="f′(x) = 1 if x > 0, else 0 (PyTorch gives 0 at x = 0)",
        range="[0, ∞)",
        limits="x → −∞: 0, x → +∞: x",
        gradient=Words(
            "1 or exactly 0: half of the units pass it on for N(0, 1) inputs. With He initialisation (gain √2) both the signal and the gradient keep their mean square on average, χ = 1. A unit negative on every example gets no gradient at all and is dead: large learning rates and large negative biases do that.",
            "非 1 即 0：输入服从 N(0, 1) 时有一半单元传递梯度。用 He 初始化（增益 √2）时信号与梯度的均方在平均意义下都保持不变，χ = 1。若某单元对所有样本都为负，就完全没有梯度，即“死亡”：学习率过大、负偏置过大都会造成这种情况。",
        ),
        cost=Words(
            "One comparison, the cheapest there is; autograd keeps the output only, and `inplace=True` saves the input's memory.",
            "一次比较，最便宜；反向传播只保存输出，`inplace=True` 可省下输入的内存。",
        ),
        use=Words(
            "First choice in convolutional networks and plain multilayer perceptrons, with He initialisation or a normaliser before it.",
            "卷积网络和普通多层感知机的首选，配合 He 初始化或在其前放归一化层。",
        ),
        avoid=Words(
            "The output of a regression with negative targets; recurrent states, which nothing bounds; models differentiated twice (its second derivative is 0).",
            "目标含负值的回归输出；循环状态（没有上界）；需要二阶导数的模型（二阶导数为 0）。",
        ),
        torch="torch.nn.ReLU",
        code='layer = nn.Linear(64, 64)\nnn.init.kaiming_normal_(layer.weight, nonlinearity="relu")\nh = nn.ReLU()(layer(torch.randn(4, 64)))',
        reference="Nair, Hinton: Rectified linear units improve restricted Boltzmann machines. ICML 2010.",
        aliases=("rectifier", "rectified_linear"),
        value=leaky,
        slope=leaky_slope,
        low=0.0,
        high=INFINITY,
        slope_low=0.0,
        slope_high=1.0,
        steepest=1.0,
        gain=1.4142136,
        mean=0.3989423,
        chi=1.0,
        torch_gain=math.sqrt(2),
        fixed_points=UPWARDS,
        fixed=KEPT,
        dead=((-INFINITY, 0.0),),
        smooth=False,
        draw=lambda: draw(leaky, leaky_slope, math.sqrt(2)),
    ),
    Activation(
        name="leaky_relu",
        title=Words("Leaky ReLU", "带泄漏的 ReLU（Leaky ReLU）"),
        formula="f(x) = x if x > 0, else a x    (a = 0.01 in PyTorch)",
        derivative="f′(x) = 1 if x > 0, else a (PyTorch gives a at x = 0)",
        range="(−∞, ∞)",
        limits="x → −∞: a x, x → +∞: x",
        gradient=Words(
            "Never 0, so no unit is dead for good; but with a = 0.01 a negative unit learns a hundred times more slowly, and through 3 negative units in a row passes 1e-6. χ = 1 at its own gain, as with ReLU.",
            "从不为 0，所以没有单元会彻底死亡；但 a = 0.01 时，取负值的单元学习速度只有百分之一，连过 3 个负单元只剩 1e-6。取自己的增益时 χ = 1，与 ReLU 相同。",
        ),
        cost=Words(
            "One comparison, one multiplication; autograd keeps the input (the output when in place).",
            "一次比较、一次乘法；反向传播保存输入（原地运算时保存输出）。",
        ),
        use=Words(
            "Discriminators of GANs (a = 0.2), networks where units die, small networks.",
            "GAN 的判别器（a = 0.2）、容易出现死单元的网络、小网络。",
        ),
        avoid=Words(
            "Expecting accuracy from it: beside batch normalisation it rarely differs from ReLU. A slope a > 1 turns it upside down.",
            "指望它提高精度：与批归一化并用时和 ReLU 几乎无差别。a > 1 则正负两侧颠倒。",
        ),
        torch="torch.nn.LeakyReLU",
        code="y = nn.LeakyReLU(negative_slope=0.2)(torch.randn(4, 8))",
        reference="Maas, Hannun, Ng: Rectifier nonlinearities improve neural network acoustic models. ICML Workshop on Deep Learning for Audio, Speech and Language Processing 2013.",
        aliases=("lrelu",),
        value=partial(leaky, below=LEAKY),
        slope=partial(leaky_slope, below=LEAKY),
        low=-INFINITY,
        high=INFINITY,
        slope_low=LEAKY,
        slope_high=1.0,
        steepest=1.0,
        gain=1.4141429,
        mean=0.3949529,
        chi=1.0,
        torch_gain=math.sqrt(2 / (1 + LEAKY**2)),
        fixed_points=UPWARDS,
        fixed=KEPT,
        smooth=False,
        draw=lambda: draw(
            partial(leaky, below=LEAKY), partial(leaky_slope, below=LEAKY), 1.4141429
        ),
    ),
    Activation(
        name="prelu",
        title=Words("PReLU (parametric ReLU)", "参数化 ReLU（PReLU）"),
        formula="f(x) = x if x > 0, else a x    (a learnt, 0.25 at first)",
        derivative="f′(x) = 1 if x > 0, else a;  ∂f/∂a = min(x, 0)",
        range="(−∞, ∞) for a > 0",
        limits="x → −∞: a x, x → +∞: x",
        gradient=Words(
            "As leaky ReLU with a slope that is learnt; 0.25 at first, so negative units start well alive. The gradient of a sums over every element that shares it and is therefore large: do not give it weight decay, which pulls the unit back to ReLU.",
            "与 Leaky ReLU 相同，但斜率是学出来的；初值 0.25，负单元一开始就很活跃。a 的梯度是所有共享它的元素之和，因此很大；不要对它用权重衰减，否则会把它拉回 ReLU。",
        ),
        cost=Words(
            "One comparison, one multiplication, and one parameter (or one a channel); autograd keeps the input, and the gradient of a needs a reduction.",
            "一次比较、一次乘法，外加一个参数（或每通道一个）；反向传播保存输入，a 的梯度还需一次归约。",
        ),
        use=Words(
            "Image restoration and face recognition networks, where it is customary; `num_parameters` = channels.",
            "图像复原和人脸识别网络中很常见；`num_parameters` 设为通道数。",
        ),
        avoid=Words(
            "Sharing one module between layers unawares: they then share a. Small data sets.",
            "无意中在多层间共用一个模块：它们会共享 a。小数据集。",
        ),
        torch="torch.nn.PReLU",
        code="act = nn.PReLU(num_parameters=8)\ny = act(torch.randn(4, 8))",
        reference="He, Zhang, Ren, Sun: Delving deep into rectifiers. ICCV 2015.",
        aliases=("parametric_relu",),
        value=partial(leaky, below=PRELU),
        slope=partial(leaky_slope, below=PRELU),
        low=-INFINITY,
        high=INFINITY,
        slope_low=PRELU,
        slope_high=1.0,
        steepest=1.0,
        gain=1.3719887,
        mean=0.2992067,
        chi=1.0,
        torch_gain=math.sqrt(2 / (1 + PRELU**2)),
        gain_note=Words(
            'the same, asked for as `calculate_gain("leaky_relu", 0.25)`',
            '相同，要写成 `calculate_gain("leaky_relu", 0.25)`',
        ),
        fixed_points=UPWARDS,
        fixed=KEPT,
        smooth=False,
        draw=lambda: draw(
            partial(leaky, below=PRELU), partial(leaky_slope, below=PRELU), 1.3719887
        ),
    ),
    Activation(
        name="rrelu",
        title=Words("RReLU (randomised leaky ReLU)", "随机泄漏 ReLU（RReLU）"),
        formula="f(x) = x if x > 0, else a x    (training: a ~ U(1/8, 1/3); evaluation: a = 11/48)",
        derivative="f′(x) = 1 if x > 0, else a",
        range="(−∞, ∞)",
        limits="x → −∞: a x, x → +∞: x",
        gradient=Words(
            "As leaky ReLU with a large slope (0.229 on average), drawn anew for each element and step: noise on the negative side, in the value and the gradient alike. χ = 1 at its gain. The figures here are those of evaluation.",
            "与斜率较大（平均 0.229）的 Leaky ReLU 相同，但每步、每个元素都重新抽取：负侧的值与梯度都带噪声。取自己的增益时 χ = 1。此处的数字是评估模式的。",
        ),
        cost=Words(
            "One random number per element in training; autograd keeps the input and the noise.",
            "训练时每个元素一个随机数；反向传播保存输入和噪声。",
        ),
        use=Words(
            "Small data sets with little other regularisation.",
            "数据集小、又没有多少其他正则化的时候。",
        ),
        avoid=Words(
            "Beside dropout and augmentation, which do the same better; forgetting `model.eval()`, which leaves the outputs random.",
            "已有 Dropout 和数据增强时（它们效果更好）；忘记 `model.eval()`，输出就是随机的。",
        ),
        torch="torch.nn.RReLU",
        code="act = nn.RReLU().eval()\ny = act(torch.randn(4, 8))",
        reference="Xu, Wang, Chen, Li: Empirical evaluation of rectified activations in convolutional network. arXiv 2015.",
        aliases=("randomized_leaky_relu", "randomised_leaky_relu"),
        value=partial(leaky, below=RRELU),
        slope=partial(leaky_slope, below=RRELU),
        low=-INFINITY,
        high=INFINITY,
        slope_low=RRELU,
        slope_high=1.0,
        steepest=1.0,
        gain=1.3784797,
        mean=0.3075180,
        chi=1.0,
        torch_gain=math.sqrt(2 / (1 + RRELU**2)),
        gain_note=Words(
            'the same, asked for as `calculate_gain("leaky_relu", 11 / 48)`',
            '相同，要写成 `calculate_gain("leaky_relu", 11 / 48)`',
        ),
        fixed_points=UPWARDS,
        fixed=KEPT,
        smooth=False,
        draw=lambda: draw(
            partial(leaky, below=RRELU), partial(leaky_slope, below=RRELU), 1.3784797
        ),
    ),
    Activation(
        name="relu6",
        title=Words("ReLU6", "ReLU6"),
        formula="f(x) = min(max(x, 0), 6)",
        derivative="f′(x) = 1 if 0 < x < 6, else 0 (PyTorch gives 0 at 0 and 6)",
        range="[0, 6]",
        limits="x → −∞: 0, x → +∞: 6",
        gradient=Words(
            "As ReLU, and exactly 0 above 6 too: at N(0, 1) inputs that never matters (one in 1e9), but where activations grow, units die at both ends.",
            "与 ReLU 相同，但大于 6 处也恰好为 0：输入服从 N(0, 1) 时无关紧要（概率约 1e-9），一旦激活值变大，单元在两端都会死亡。",
        ),
        cost=Words("Two comparisons; autograd keeps the input.", "两次比较；反向传播保存输入。"),
        use=Words(
            "Networks to be quantised to 8 bits: the range is known (MobileNet V1 and V2).",
            "要量化到 8 位的网络：取值范围已知（MobileNet V1、V2）。",
        ),
        avoid=Words(
            "Where nothing will be quantised; without normalisation before it.",
            "不打算量化时；其前没有归一化层时。",
        ),
        torch="torch.nn.ReLU6",
        code="y = nn.ReLU6()(torch.randn(4, 8))",
        reference="Krizhevsky: Convolutional deep belief networks on CIFAR-10. 2010.",
        value=relu6,
        slope=relu6_slope,
        low=0.0,
        high=6.0,
        slope_low=0.0,
        slope_high=0.0,
        steepest=1.0,
        gain=1.4142136,
        mean=0.3989423,
        chi=1.0,
        fixed_points=((0.0, 6.0),),
        fixed=Words(
            "what has passed once passes again unchanged: the function is idempotent",
            "通过一次之后再通过不变：函数是幂等的",
        ),
        dead=((-INFINITY, 0.0), (6.0, INFINITY)),
        smooth=False,
        draw=lambda: draw(relu6, relu6_slope, math.sqrt(2), -3.0, 9.0),
    ),
    Activation(
        name="elu",
        title=Words("ELU (exponential linear unit)", "指数线性单元（ELU）"),
        formula="f(x) = x if x > 0, else α (eˣ − 1)    (α = 1)",
        derivative="f′(x) = 1 if x > 0, else α eˣ",
        range="(−α, ∞)",
        limits="x → −∞: −α, x → +∞: x",
        gradient=Words(
            "1 above 0; below it falls like eˣ: 0.37 at −1, 0.05 at −3, under a thousandth below −6.91, yet never exactly 0. At its gain the gradient grows by 0.03 bits per layer, next to nothing. The mean output is 0.16, against ReLU's 0.40.",
            "x > 0 时为 1；以下按 eˣ 衰减：−1 处 0.37，−3 处 0.05，低于 −6.91 后不足千分之一，但从不恰好为 0。取自己的增益时梯度每层只增大 0.03 比特，几乎可以忽略。输出均值 0.16，ReLU 为 0.40。",
        ),
        cost=Words(
            "One exponential per element on the negative side; autograd keeps the input.",
            "负侧每个元素一次指数；反向传播保存输入。",
        ),
        use=Words(
            "Networks without normalisation, where a mean near zero and living negative units help.",
            "没有归一化的网络：均值接近零、负单元不死，都有好处。",
        ),
        avoid=Words(
            "α other than 1 where smoothness is wanted (the slope then jumps at 0; CELU mends that); networks with batch normalisation, where it costs more than ReLU for little.",
            "需要光滑而 α ≠ 1 时（0 处斜率会跳变，CELU 可补救）；已有批归一化的网络（比 ReLU 贵而收益甚微）。",
        ),
        torch="torch.nn.ELU",
        code="y = nn.ELU(alpha=1.0)(torch.randn(4, 8))",
        reference="Clevert, Unterthiner, Hochreiter: Fast and accurate deep network learning by exponential linear units (ELUs). ICLR 2016.",
        value=elu,
        slope=elu_slope,
        low=-1.0,
        high=INFINITY,
        slope_low=0.0,
        slope_high=1.0,
        steepest=1.0,
        gain=1.2451983,
        mean=0.1605206,
        chi=1.0359047,
        fixed_points=UPWARDS,
        fixed=KEPT,
        dead=((-INFINITY, -6.9077553),),
        draw=lambda: draw(elu, elu_slope, 1.2451983),
    ),
    Activation(
        name="selu",
        title=Words("SELU (scaled ELU)", "自归一化 ELU（SELU）"),
        formula="f(x) = λ (x if x > 0, else α (eˣ − 1))    λ = 1.0507, α = 1.6733",
        derivative="f′(x) = λ if x > 0, else λ α eˣ (at x = 0 PyTorch gives λα = 1.7581)",
        range="(−1.7581, ∞)",
        limits="x → −∞: −λα = −1.7581, x → +∞: λ x",
        gradient=Words(
            "λ and α are chosen so that N(0, 1) inputs give mean 0 and variance 1, and other means and variances are drawn back there. The gradient then grows by 0.05 bits per layer (× 1.035): 30 layers make 2.8. Below −6.91 the slope is under a thousandth of its largest.",
            "λ 与 α 的取值使 N(0, 1) 的输入给出均值 0、方差 1 的输出，偏离的均值和方差也会被拉回。此时梯度每层增大 0.05 比特（× 1.035），30 层共 2.8 倍。x < −6.91 时斜率不足最大值的千分之一。",
        ),
        cost=Words(
            "One exponential per element on the negative side; autograd keeps the input.",
            "负侧每个元素一次指数；反向传播保存输入。",
        ),
        use=Words(
            'Deep fully connected networks on scaled tabular inputs, with weights of variance 1 / fan_in (`kaiming_normal_(w, nonlinearity="linear")`) and `nn.AlphaDropout`.',
            '输入已标准化的表格数据上的深层全连接网络；权重方差取 1 / fan_in（`kaiming_normal_(w, nonlinearity="linear")`），Dropout 用 `nn.AlphaDropout`。',
        ),
        avoid=Words(
            "With PyTorch's default initialisation, ordinary dropout, normalisation layers or skip connections: each breaks the premise.",
            "与 PyTorch 默认初始化、普通 Dropout、归一化层或跳跃连接并用：每一项都破坏其前提。",
        ),
        torch="torch.nn.SELU",
        code='layer = nn.Linear(64, 64)\nnn.init.kaiming_normal_(layer.weight, nonlinearity="linear")\nnn.init.zeros_(layer.bias)\nh = nn.SELU()(layer(torch.randn(4, 64)))',
        reference="Klambauer, Unterthiner, Mayr, Hochreiter: Self-normalizing neural networks. NIPS 2017.",
        value=selu,
        slope=selu_slope,
        low=-SELU_SCALE * SELU_ALPHA,
        high=INFINITY,
        slope_low=0.0,
        slope_high=SELU_SCALE,
        steepest=SELU_SCALE * SELU_ALPHA,
        gain=1.0,
        mean=0.0,
        chi=1.0715750,
        torch_gain=0.75,
        gain_note=Words(
            "gives up self-normalisation for the gradient: the variance settles at 0.023, where χ = 1.004; for SELU's own fixed point ask for `linear`",
            "为梯度稳定而放弃自归一化：方差降到 0.023，该处 χ = 1.004；若要 SELU 本来的不动点，应取 `linear`",
        ),
        fixed_points=((-1.2588172, -1.2588172), (0.0, 0.0)),
        fixed=Words(
            "a single number is drawn to the first and away from 0; what SELU is made for is the fixed point of distributions: mean 0, variance 1",
            "单个数会被前者吸引而远离 0；SELU 的设计目标是分布的不动点：均值 0、方差 1",
        ),
        dead=((-INFINITY, -6.9077553),),
        smooth=False,
        draw=lambda: draw(selu, selu_slope, 1.0),
    ),
    Activation(
        name="celu",
        title=Words("CELU (continuously differentiable ELU)", "连续可微 ELU（CELU）"),
        formula="f(x) = max(x, 0) + min(α (e^(x/α) − 1), 0)    (α = 1)",
        derivative="f′(x) = 1 if x > 0, else e^(x/α)",
        range="(−α, ∞)",
        limits="x → −∞: −α, x → +∞: x",
        gradient=Words(
            "At α = 1 it is ELU, figure for figure. At any other α its slope still has no jump at 0, where ELU's goes from α to 1. Under a thousandth below −6.91 α.",
            "α = 1 时与 ELU 完全相同。α 取其他值时 0 处斜率仍连续，而 ELU 的斜率会从 α 跳到 1。x < −6.91 α 时不足千分之一。",
        ),
        cost=Words(
            "One exponential per element on the negative side; autograd keeps the input.",
            "负侧每个元素一次指数；反向传播保存输入。",
        ),
        use=Words("In place of ELU wherever α is to be tuned.", "需要调 α 的场合，用它代替 ELU。"),
        avoid=Words(
            "Very small α: it is then ReLU with exponentials to pay for.",
            "α 很小：那就等于多花了指数运算的 ReLU。",
        ),
        torch="torch.nn.CELU",
        code="y = nn.CELU(alpha=1.0)(torch.randn(4, 8))",
        reference="Barron: Continuously differentiable exponential linear units. arXiv 2017.",
        value=elu,
        slope=elu_slope,
        low=-1.0,
        high=INFINITY,
        slope_low=0.0,
        slope_high=1.0,
        steepest=1.0,
        gain=1.2451983,
        mean=0.1605206,
        chi=1.0359047,
        fixed_points=UPWARDS,
        fixed=KEPT,
        dead=((-INFINITY, -6.9077553),),
        draw=lambda: draw(elu, elu_slope, 1.2451983),
    ),
)
