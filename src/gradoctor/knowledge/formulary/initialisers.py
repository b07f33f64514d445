"""Initialisers, with the variance they draw and what it does in depth."""

from __future__ import annotations

from gradoctor.knowledge.formulary._initialiser import Initialiser
from gradoctor.knowledge.formulary._initialiser_pictures import (
    draw_constant,
    draw_fixup,
    draw_gaussian,
    draw_he,
    draw_lsuv,
    draw_orthogonal,
    draw_torch_default,
    draw_xavier,
    draw_zero,
)
from gradoctor.knowledge.formulary._variances import (
    gaussian,
    he,
    none,
    orthogonal,
    torch_default,
    xavier,
)
from gradoctor.knowledge.language import Words

SYMMETRY = "Goodfellow, Bengio, Courville: Deep Learning, section 8.4. MIT Press 2016."
FIXUP_CODE = """width, branches = 64, 8
class Branch(nn.Module):  # m = 2 layers
    def __init__(self):
        super().__init__()
        self.first = nn.Linear(width, width, bias=False)
        self.last = nn.Linear(width, width, bias=False)
        self.shifts = nn.Parameter(torch.zeros(4))
        self.scale = nn.Parameter(torch.ones(1))
        nn.init.kaiming_normal_(self.first.weight, nonlinearity="relu")
        with torch.no_grad():
            self.first.weight.mul_(branches ** (-1 / (2 * 2 - 2)))
        nn.init.zeros_(self.last.weight)
    def forward(self, x):
        a, b, c, d = self.shifts
        h = torch.relu(self.first(x + a) + b)
        return x + self.scale * self.last(h + c) + d
head = nn.Linear(width, 10)
nn.init.zeros_(head.weight)
nn.init.zeros_(head.bias)
model = nn.Sequential(*[Branch() for _ in range(branches)], head)
y = model(torch.randn(4, width))"""

ENTRIES = (
    Initialiser(
        name="zero",
        title=Words("Zeros", "全零初始化"),
        formula="w = 0",
        gradient=Words(
            "In a plain network with ReLU or tanh every hidden unit is 0, so all weight gradients are exactly 0 and only the last bias learns: the network stays a constant. As the last layer of a residual branch it is healthy: that layer gets a gradient at once, those before it from the second step on.",
            "在使用 ReLU 或 tanh 的普通网络中，隐藏单元全为 0，所有权重的梯度恰好为 0，只有最后的偏置在学习：网络始终是常数。作为残差支路的末层则是健康的：该层立即得到梯度，它前面的层从第二步起得到梯度。",
        ),
        cost=Words("None.", "无。"),
        use=Words(
            "Biases; the last layer of residual branches, of adapters (LoRA's B) and of classification heads.",
            "偏置；残差支路的末层、适配器的末层（LoRA 的 B）、分类头。",
        ),
        avoid=Words("The weights of hidden layers.", "隐藏层的权重。"),
        torch="torch.nn.init.zeros_",
        code="layer = nn.Linear(8, 8)\nnn.init.zeros_(layer.bias)",
        reference=SYMMETRY,
        aliases=("zeros", "zero_init"),
        variance=none,
        variance_said=Words.same("0"),
        scaling=Words(
            "Both are multiplied by 0: nothing passes a layer in either direction.",
            "两者都乘以 0：任何方向上都没有东西通过。",
        ),
        symmetric=True,
        pitfalls=Words(
            "Two zero factors in a row (a zero gain on a zero layer) never leave 0: each one's gradient is multiplied by the other.",
            "两个零因子相连（零增益乘零权重层）永远离不开 0：各自的梯度都要乘以另一个。",
        ),
        draw=draw_zero,
    ),
    Initialiser(
        name="constant",
        title=Words("A constant", "常数初始化"),
        formula="w = c",
        gradient=Words(
            "All units of a layer compute the same and receive the same gradient: a hidden layer of any width learns as one unit. Only dropout or other noise tells them apart.",
            "同层所有单元的计算相同、梯度也相同：隐藏层无论多宽，学起来都只相当于一个单元。只有 Dropout 之类的噪声才能使它们分化。",
        ),
        cost=Words("None.", "无。"),
        use=Words(
            "Biases with a meaning: log p/(1 − p) of the head for rare labels, 1 for the forget gate of an LSTM; gains of normalisers at 1.",
            "有含义的偏置：标签稀少时输出层取 log p/(1 − p)，LSTM 遗忘门取 1；归一化层的增益取 1。",
        ),
        avoid=Words("Weights, of any layer.", "任何层的权重。"),
        torch="torch.nn.init.constant_",
        code="head = nn.Linear(8, 1)\nnn.init.constant_(head.bias, -2.197)  # one positive in ten: log(0.1 / 0.9)",
        reference=SYMMETRY,
        aliases=("ones", "constant_init"),
        variance=none,
        variance_said=Words(
            "0 between weights; each contributes c² to the mean square",
            "权重之间的方差为 0；每个对均方贡献 c²",
        ),
        scaling=Words(
            "Inputs of one sign add up coherently: × c · fan_in per layer, forwards, and × c · fan_out for the gradient. With c = 0.01 and 512 inputs that is 5.1.",
            "同号的输入相干叠加：前向每层 × c · fan_in，梯度每层 × c · fan_out。c = 0.01、512 个输入时为 5.1。",
        ),
        symmetric=True,
        pitfalls=Words(
            "The loss still falls a little, so the fault is easily missed: compare the rows of a weight, they are equal.",
            "损失仍会稍降，因此容易漏看：比较权重矩阵的各行，会发现完全相等。",
        ),
        draw=draw_constant,
    ),
    Initialiser(
        name="gaussian",
        title=Words("Gaussian (or uniform) of a fixed size", "固定尺度的高斯（或均匀）分布"),
        formula="w ~ N(0, σ²), or w ~ U(−√3 σ, √3 σ), which has the same variance",
        gradient=Words(
            "Right for one width only: with ReLU a layer multiplies the RMS of the gradient by σ √(fan_out / 2). At σ = 0.01 and width 512 that is 0.16, and 10 layers leave 1e-8.",
            "只对某一个宽度合适：配 ReLU 时每层把梯度的均方根乘以 σ √(fan_out / 2)。σ = 0.01、宽度 512 时为 0.16，10 层后剩 1e-8。",
        ),
        cost=Words("One random number per weight.", "每个权重一个随机数。"),
        use=Words(
            "Where a recipe fixes it and normalisers mend the size: σ = 0.02 in BERT and GPT-2; embeddings.",
            "配方已定且有归一化层兜底时：BERT 与 GPT-2 取 σ = 0.02；嵌入层。",
        ),
        avoid=Words(
            "Plain deep networks: let the fans decide (He, Xavier). σ = 1, the default of `normal_`, saturates or explodes any layer of some width.",
            "普通深层网络：应由扇入、扇出决定（He、Xavier）。`normal_` 的默认 σ = 1 会使任何稍宽的层饱和或爆炸。",
        ),
        torch="torch.nn.init.normal_",
        code="layer = nn.Linear(512, 512)\nnn.init.normal_(layer.weight, std=0.02)",
        reference="Krizhevsky, Sutskever, Hinton: ImageNet classification with deep convolutional neural networks. NIPS 2012.",
        aliases=("normal", "uniform", "random_normal", "truncated_normal"),
        variance=gaussian,
        variance_said=Words("σ² (the gain here is σ itself)", "σ²（此处增益即 σ 本身）"),
        scaling=Words(
            "The variance is multiplied by fan_in σ² E[f²] forwards and fan_out σ² E[f′²] backwards; for ReLU both expectations are 1/2. The one good σ is √(2 / width): 0.0625 at 512.",
            "前向方差每层乘以 fan_in σ² E[f²]，反向乘以 fan_out σ² E[f′²]；ReLU 的两个期望都是 1/2。唯一合适的 σ 是 √(2 / 宽度)：宽度 512 时为 0.0625。",
        ),
        pitfalls=Words(
            "`trunc_normal_` cuts at a = −2 and b = 2 as values, not standard deviations: at σ = 0.02 it cuts nothing. `uniform_` without bounds draws from [0, 1): all positive, mean 0.5.",
            "`trunc_normal_` 的截断点 a = −2、b = 2 是数值而非标准差的倍数：σ = 0.02 时等于没截。`uniform_` 不给上下界时从 [0, 1) 抽取：全为正，均值 0.5。",
        ),
        draw=draw_gaussian,
    ),
    Initialiser(
        name="xavier",
        title=Words("Xavier (Glorot)", "Xavier（Glorot）初始化"),
        formula="Var w = 2 g² / (fan_in + fan_out);  uniform: w ~ U(−a, a), a = g √(6 / (fan_in + fan_out))",
        gradient=Words(
            "A compromise between fan_in, which the signal needs, and fan_out, which the gradient needs: with equal fans and no activation both are kept. ReLU at gain 1 halves the mean square per layer (−0.5 bits): 30 layers leave 3e-5.",
            "在信号所需的 fan_in 与梯度所需的 fan_out 之间折中：两者相等且无激活时都能保持。ReLU 配增益 1 时均方每层减半（−0.5 比特），30 层后剩 3e-5。",
        ),
        cost=Words("One random number per weight.", "每个权重一个随机数。"),
        use=Words(
            "tanh, sigmoid and linear layers, attention projections; with the gain of the activation (tanh 1.5925).",
            "tanh、Sigmoid 与线性层，注意力的投影矩阵；配上激活函数的增益（tanh 取 1.5925）。",
        ),
        avoid=Words(
            "ReLU networks without normalisation: take He. Layers whose fans differ much: neither signal nor gradient is then kept.",
            "没有归一化的 ReLU 网络：用 He。扇入扇出相差悬殊的层：此时信号与梯度都保持不住。",
        ),
        torch="torch.nn.init.xavier_uniform_",
        code="layer = nn.Linear(64, 64)\nnn.init.xavier_uniform_(layer.weight, gain=1.5925)  # tanh\nnn.init.xavier_normal_(layer.weight)  # the same variance, Gaussian",
        reference="Glorot, Bengio: Understanding the difficulty of training deep feedforward neural networks. AISTATS 2010.",
        aliases=("glorot", "xavier_normal", "xavier_uniform", "glorot_normal", "glorot_uniform"),
        variance=xavier,
        variance_said=Words.same("2 g² / (fan_in + fan_out)"),
        scaling=Words(
            "× 2 g² fan_in / (fan_in + fan_out) forwards, × 2 g² fan_out / (fan_in + fan_out) backwards, before the activation's own E[f²] and E[f′²]. From 784 to 100 units the first is 1.77 and the second 0.23.",
            "前向 × 2 g² fan_in / (fan_in + fan_out)，反向 × 2 g² fan_out / (fan_in + fan_out)，另计激活函数的 E[f²] 与 E[f′²]。784 到 100 个单元时，前者 1.77，后者 0.23。",
        ),
        pitfalls=Words(
            "Uniform or Gaussian makes no difference of note; the gain does. A fused q, k, v projection has three times the fan_out of each.",
            "均匀与高斯几乎没有差别，增益才要紧。合并的 q、k、v 投影的 fan_out 是单个的三倍。",
        ),
        draw=draw_xavier,
    ),
    Initialiser(
        name="he",
        title=Words("He (Kaiming)", "He（Kaiming）初始化"),
        formula="Var w = g² / fan_in,  g = √2 for ReLU, √(2 / (1 + a²)) for leaky ReLU of slope a",
        gradient=Words(
            'With ReLU the mean square of signal and gradient is kept on average through any depth (χ = 1) where widths are equal; `mode="fan_out"` keeps the gradient where they differ. Single draws still wander: after 30 layers of width 100 the RMS lies between 0.5 and 1.8 of its size in four draws of five.',
            '配 ReLU 且各层等宽时，信号与梯度的均方在平均意义下能保持任意深度（χ = 1）；宽度不等时 `mode="fan_out"` 保持的是梯度。单次抽样仍有波动：宽度 100 时过 30 层后，五次里有四次的均方根落在原来的 0.5 到 1.8 倍之间。',
        ),
        cost=Words("One random number per weight.", "每个权重一个随机数。"),
        use=Words(
            "ReLU networks, convolutional or not; first choice.",
            "ReLU 网络（无论是否卷积）的首选。",
        ),
        avoid=Words(
            "tanh or linear networks at g = √2: linear layers then double the mean square each. Residual networks without normalisation (Fixup).",
            "tanh 或线性网络使用 g = √2：线性层每层均方翻倍。没有归一化的残差网络（用 Fixup）。",
        ),
        torch="torch.nn.init.kaiming_normal_",
        code='layer = nn.Conv2d(16, 32, 3)\nnn.init.kaiming_normal_(layer.weight, mode="fan_in", nonlinearity="relu")\nnn.init.zeros_(layer.bias)',
        reference="He, Zhang, Ren, Sun: Delving deep into rectifiers. ICCV 2015.",
        aliases=("kaiming", "msra", "he_normal", "he_uniform", "kaiming_normal", "kaiming_uniform"),
        variance=he,
        variance_said=Words.same("g² / fan_in"),
        scaling=Words(
            "× g² E[f²] forwards, 1 for ReLU at g = √2; × (fan_out / fan_in) g² E[f′²] backwards, 1 where widths are equal.",
            "前向 × g² E[f²]，ReLU 取 g = √2 时为 1；反向 × (fan_out / fan_in) g² E[f′²]，等宽时为 1。",
        ),
        pitfalls=Words(
            "The default of `kaiming_*_` is leaky ReLU with a = 0, which is ReLU. For transposed convolutions PyTorch reads the two fans the wrong way round, and for grouped ones its fan_out counts all groups. GELU and SiLU are refused: use their own gain.",
            "`kaiming_*_` 的默认值是 a = 0 的 Leaky ReLU，即 ReLU。对转置卷积，PyTorch 会把两个扇数弄反；对分组卷积，其 fan_out 把所有组都算上。GELU、SiLU 不被接受：请使用它们自己的增益。",
        ),
        draw=draw_he,
    ),
    Initialiser(
        name="torch_default",
        title=Words(
            "PyTorch's default for linear and convolution layers",
            "PyTorch 线性层与卷积层的默认初始化",
        ),
        formula="kaiming_uniform_(w, a=√5):  w ~ U(−1/√fan_in, 1/√fan_in);  bias the same",
        gradient=Words(
            "A sixth of what ReLU needs: the mean square is divided by 6 per layer (−1.29 bits), so 10 layers leave 1.3e-4 of the RMS and 30 leave 2e-12. Shallow networks, and all with normalisers, do not notice; Adam hides the small gradient but not the small signal.",
            "只有 ReLU 所需的六分之一：均方每层除以 6（−1.29 比特），10 层后均方根剩 1.3e-4，30 层后剩 2e-12。浅层网络和带归一化的网络感觉不到；Adam 能掩盖梯度小，却掩盖不了信号小。",
        ),
        cost=Words("One random number per weight.", "每个权重一个随机数。"),
        use=Words(
            "Networks of a few layers, or with batch or layer normalisation: it is what you get.",
            "只有几层的网络，或带批归一化、层归一化的网络：什么都不写就是它。",
        ),
        avoid=Words(
            "Plain networks of ten layers and more, with any activation.",
            "十层以上的普通网络，无论用什么激活函数。",
        ),
        torch="torch.nn.init.kaiming_uniform_",
        code="layer = nn.Linear(64, 64)  # drawn so already; the same by hand:\nnn.init.kaiming_uniform_(layer.weight, a=5**0.5)\nnn.init.uniform_(layer.bias, -1 / 64**0.5, 1 / 64**0.5)",
        reference="PyTorch documentation, torch.nn.Linear and torch.nn.init.",
        aliases=("pytorch_default", "default_init", "reset_parameters"),
        variance=torch_default,
        variance_said=Words.same("1 / (3 fan_in)"),
        scaling=Words(
            "× 1/3 per linear layer before the activation, forwards and, at equal widths, backwards; × 1/6 with ReLU. The biases, of variance 1 / (3 fan_in), are then all that is left of the signal: the same for every example.",
            "激活之前，每个线性层前向 × 1/3（等宽时反向亦然）；加上 ReLU 为 × 1/6。信号最后只剩下方差为 1 / (3 fan_in) 的偏置，对每个样本都相同。",
        ),
        pitfalls=Words(
            "The a=√5 is no leaky slope that anyone uses; it is there to give the bound 1/√fan_in. Embeddings are N(0, 1), normalisers 1 and 0, recurrent layers U(±1/√hidden).",
            "a=√5 并不是实际使用的泄漏斜率，只是为了得到 1/√fan_in 的界。嵌入层为 N(0, 1)，归一化层为 1 与 0，循环层为 U(±1/√hidden)。",
        ),
        draw=draw_torch_default,
    ),
    Initialiser(
        name="orthogonal",
        title=Words("Orthogonal", "正交初始化"),
        formula="W = g Q,  QᵀQ = I or QQᵀ = I (from the QR decomposition of a Gaussian matrix)",
        gradient=Words(
            "A square layer keeps the length of every vector exactly, forwards and backwards, and so does any product of them: in a linear network no direction vanishes or explodes at any depth. Gaussian layers keep it on average only: the singular values of their product spread, E[s⁴] / E[s²]² = L + 1. Activations bring some of that spread back.",
            "方阵层在前向和反向都严格保持每个向量的长度，它们的乘积也如此：线性网络无论多深，没有任何方向消失或爆炸。高斯层只在平均意义下保持：其乘积的奇异值逐渐分散，E[s⁴] / E[s²]² = L + 1。激活函数会带回一部分分散。",
        ),
        cost=Words(
            "A QR decomposition per weight, cubic in the width: some seconds for 4096 × 4096 on one core, once.",
            "每个权重一次 QR 分解，与宽度的立方成正比：单核上 4096 × 4096 约需数秒，只做一次。",
        ),
        use=Words(
            "Hidden-to-hidden weights of recurrent networks, deep plain networks with tanh, reinforcement learning.",
            "循环网络的隐藏到隐藏权重、使用 tanh 的深层普通网络、强化学习。",
        ),
        avoid=Words(
            "Expecting it to save ReLU networks, whose kinks break the isometry. Embeddings and very large matrices.",
            "指望它拯救 ReLU 网络（折点破坏等距性）。嵌入层与特别大的矩阵。",
        ),
        torch="torch.nn.init.orthogonal_",
        code="layer = nn.Linear(64, 64)\nnn.init.orthogonal_(layer.weight, gain=1.5925)  # tanh",
        reference="Saxe, McClelland, Ganguli: Exact solutions to the nonlinear dynamics of learning in deep linear neural networks. ICLR 2014.",
        aliases=("orthogonal_init", "semi_orthogonal"),
        variance=orthogonal,
        variance_said=Words.same("g² / max(fan_in, fan_out)"),
        scaling=Words(
            "The length of the signal is multiplied by exactly g where fan_out ≥ fan_in, that of the gradient where fan_out ≤ fan_in; both in a square layer.",
            "fan_out ≥ fan_in 时信号的长度恰好乘以 g，fan_out ≤ fan_in 时梯度的长度恰好乘以 g；方阵两者兼得。",
        ),
        pitfalls=Words(
            "A convolution kernel is flattened to (out, in · k · k): its rows are orthonormal, but the convolution does not keep lengths. The fused weight of an LSTM holds four matrices; draw each by itself.",
            "卷积核被展平为 (out, in · k · k)：各行正交归一，但卷积本身并不保持长度。LSTM 的合并权重含四个矩阵，应分别初始化。",
        ),
        draw=draw_orthogonal,
    ),
    Initialiser(
        name="lsuv",
        title=Words("LSUV (layer-sequential unit variance)", "LSUV（逐层单位方差）"),
        formula="W orthogonal, then layer by layer W ← W / std(output on a batch)",
        gradient=Words(
            "The signal has unit variance in every layer by measurement, whatever the activation, pooling or skip connection before it. The gradient then scales by the activation's χ: kept with ReLU, × 0.39 per layer with sigmoid, which no initialisation can mend.",
            "通过实测使每层信号的方差为 1，不论其前是什么激活、池化或跳跃连接。此后梯度按激活函数的 χ 缩放：ReLU 保持不变，Sigmoid 每层 × 0.39，这是任何初始化都治不了的。",
        ),
        cost=Words(
            "A QR decomposition per weight, and one forward pass with hooks (the paper measures again after each scaling).",
            "每个权重一次 QR 分解，外加一次带钩子的前向传播（论文在每次缩放后重新测量）。",
        ),
        use=Words(
            "Plain or odd architectures for which no formula is at hand, without normalisation.",
            "没有现成公式可用的普通或特殊结构，且没有归一化层。",
        ),
        avoid=Words(
            "Weights that are trained already: they are overwritten. A batch that is unlike the data, such as noise.",
            "已训练好的权重：会被覆盖。与真实数据不像的批，例如噪声。",
        ),
        torch="",
        code="from gradoctor.nn import lsuv_\nmodel = nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 1))\nfactors = lsuv_(model, torch.randn(256, 8))  # take a batch of real data",
        reference="Mishkin, Matas: All you need is a good init. ICLR 2016.",
        aliases=("layer_sequential_unit_variance",),
        variance=None,
        variance_said=Words(
            "what the batch asks for: about 1 / (fan_in E[x²])",
            "由数据决定：约为 1 / (fan_in E[x²])",
        ),
        scaling=Words(
            "× 1 forwards, by construction; backwards × gain² E[f′²] with the gain that came out.",
            "前向按构造为 × 1；反向 × 增益² E[f′²]，增益为实测所得。",
        ),
        pitfalls=Words(
            "Put the model in evaluation mode or accept dropout's noise. The last layer is scaled too: set the head to what the loss wants afterwards.",
            "模型应处于评估模式，否则要接受 Dropout 的噪声。最后一层也会被缩放：之后按损失的需要重设输出层。",
        ),
        draw=draw_lsuv,
    ),
    Initialiser(
        name="fixup",
        title=Words("Fixup", "Fixup"),
        formula="inside each of L residual branches of m layers: He × L^(−1/(2m − 2)); its last layer 0; the head 0; a scalar multiplier 1 in each branch and scalar biases 0 before each layer and activation",
        gradient=Words(
            "Branches end in 0, so the network begins as its skip connections: signal and gradient pass any depth unchanged. The factor on the inner layers is such that one step of gradient descent changes the output by an amount that does not grow with L; with m = 2 it is 1/√L.",
            "支路末层为 0，网络一开始就只有跳跃连接：信号与梯度穿过任意深度都不变。内层的系数使一步梯度下降对输出的改变量不随 L 增长；m = 2 时为 1/√L。",
        ),
        cost=Words(
            "As He; some scalars per branch in training, fewer operations than batch normalisation.",
            "与 He 相同；训练时每条支路多几个标量，运算少于批归一化。",
        ),
        use=Words(
            "Residual networks without normalisation: tiny batches, generative models, reinforcement learning.",
            "不用归一化的残差网络：极小的批、生成模型、强化学习。",
        ),
        avoid=Words(
            "Networks without skip connections: zeros there cut them. It lacks the regularisation of batch normalisation; add mixup or the like.",
            "没有跳跃连接的网络：零层会把网络切断。它没有批归一化的正则作用，需补上 mixup 之类。",
        ),
        torch="",
        code=FIXUP_CODE,
        reference="Zhang, Dauphin, Ma: Fixup initialization: residual learning without normalization. ICLR 2019.",
        aliases=("fixup_init",),
        variance=None,
        variance_said=Words(
            "2 L^(−1/(m − 1)) / fan_in inside a branch, 0 in its last layer",
            "支路内层为 2 L^(−1/(m − 1)) / fan_in，末层为 0",
        ),
        scaling=Words(
            "× 1 along the skip connections, both ways; with He in branches that begin with their ReLU each would double the variance, 2^L in all.",
            "沿跳跃连接双向均为 × 1；若以 ReLU 开头的各支路都用 He，每条支路使方差翻倍，共 2^L。",
        ),
        pitfalls=Words(
            "L counts branches, m the weight layers in one: they are not the depth. m must be at least 2. The scalars usually take a smaller learning rate, such as a tenth.",
            "L 是支路数，m 是一条支路内的权重层数，都不是网络深度。m 至少为 2。标量参数通常用较小的学习率，如十分之一。",
        ),
        draw=draw_fixup,
    ),
)
