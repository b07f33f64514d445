"""Normalisers: of activations, and of weights."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gradoctor.knowledge.formulary import _normaliser
from gradoctor.knowledge.formulary._normaliser import Block, Normaliser
from gradoctor.knowledge.formulary._normaliser_pictures import (
    FOCUS,
    companions,
    growth,
    iterations,
    lengths,
    response,
    sharing,
)
from gradoctor.knowledge.language import Words
from gradoctor.knowledge.plots import Picture

_SAME = Words("the same in both", "两者相同")
_GROUPS = 2
_WINDOW = 3


def _same_channel(n: int, c: int) -> bool:
    return c == FOCUS[1]


def _same_example(n: int, c: int) -> bool:
    return n == FOCUS[0]


def _same_group(n: int, c: int) -> bool:
    size = 6 // _GROUPS
    return n == FOCUS[0] and c // size == FOCUS[1] // size


def _same_cell(n: int, c: int) -> bool:
    return (n, c) == FOCUS


def _in_window(n: int, c: int) -> bool:
    return n == FOCUS[0] and abs(c - FOCUS[1]) <= _WINDOW // 2


def _whole(n: int, c: int) -> bool:
    return True


def _drawer(
    shares: Callable[[int, int], bool], apply: Callable[[Block], Block]
) -> Callable[[], tuple[Picture, ...]]:
    return lambda: (sharing(shares), response(apply))


ENTRIES: tuple[Normaliser, ...] = (
    Normaliser(
        name="batch_norm",
        kind="normalisers",
        title=Words("Batch normalisation", "批归一化"),
        formula="x̂ = (x − μ_c)/√(σ²_c + ε),   y = γ_c·x̂ + β_c\nμ_c, σ²_c over the batch and all positions, for each channel c",
        derivative="∂L/∂x = γ/√(σ² + ε)·(g − mean(g) − x̂·mean(g·x̂)),   g = ∂L/∂y",
        gradient=Words(
            "The gradient loses its mean and its part along x̂ in each channel and is scaled by γ/σ. Weights before it may have any scale: their gradient is orthogonal to them and falls as 1/‖w‖. It mends vanishing in sigmoid networks, but with ReLU and no skip connections gradients grow by √(π/(π−1)), 0.276 bits, for each layer back.",
            "每个通道的梯度被去掉均值和沿 x̂ 的分量，再乘以 γ/σ。它之前的权重可取任意尺度：其梯度与权重正交，且按 1/‖w‖ 下降。它能缓解 sigmoid 网络的梯度消失；但与 ReLU 连用且无残差连接时，每向后一层梯度增大 √(π/(π−1)) 倍，即 0.276 比特。",
        ),
        cost=Words("2 parameters and 2 running statistics a channel; two passes over the activations, which are kept for the backward pass", "每个通道 2 个参数、2 个运行统计量；遍历激活值两次，并须为反向传播保留"),
        use=Words("convolutional networks with batches of 16 or more on each device", "每个设备批量不小于 16 的卷积网络"),
        avoid=Words("small batches; recurrent networks and sequences of varying length; critics with a gradient penalty, where examples must not depend on each other; reinforcement learning", "小批量；循环网络与变长序列；带梯度惩罚的判别器（各样本不得相互依赖）；强化学习"),
        torch="torch.nn.BatchNorm2d",
        code="norm = nn.BatchNorm2d(6)\ny = norm(torch.randn(8, 6, 5, 5))",
        reference="S. Ioffe, C. Szegedy. Batch Normalization: Accelerating Deep Network Training by Reducing Internal Covariate Shift. ICML 2015; G. Yang et al. A Mean Field Theory of Batch Normalization. ICLR 2019.",
        aliases=("bn", "BatchNorm1d", "BatchNorm3d", "SyncBatchNorm"),
        draw=lambda: (sharing(_same_channel), response(_normaliser.batch_norm), companions(), growth()),
        axes=("N", "H", "W"),
        over=Words("examples and positions, for each channel: N, H, W", "样本与位置，逐通道：N、H、W"),
        parameters=("weight", "bias"),
        buffers=("running_mean", "running_var", "num_batches_tracked"),
        differs=True,
        modes=Words("training: the batch's mean and (biased) variance, and running averages with momentum 0.1 of the mean and the unbiased variance; evaluation: the running averages, so that it is a fixed affine map", "训练：用本批次的均值与（有偏）方差，并以 momentum 0.1 更新均值和无偏方差的滑动平均；评估：用滑动平均，即固定的仿射变换"),
        apply=_normaliser.batch_norm,
        shares=_same_channel,
        pitfalls=(
            Words("Its momentum is the weight of the NEW batch, 0.1: the reverse of an optimizer's.", "它的 momentum 是“新”批次的权重 0.1：与优化器的动量含义相反。"),
            Words("A forgotten eval() makes predictions depend on the batch; a forgotten train() freezes the statistics.", "忘记 eval()，预测会依赖批次；忘记 train()，统计量不再更新。"),
            Words("One value in a channel (batch 1, 1 × 1 positions) raises ValueError in training.", "训练时若某通道只有一个值（批量 1、位置 1 × 1），会抛出 ValueError。"),
            Words("A bias in the layer before it does nothing: the mean is taken away.", "它前一层的偏置不起作用：均值会被减掉。"),
        ),
    ),
    Normaliser(
        name="layer_norm",
        kind="normalisers",
        title=Words("Layer normalisation", "层归一化"),
        formula="x̂ = (x − μ_n)/√(σ²_n + ε),   y = γ⊙x̂ + β\nμ_n, σ²_n over all features of each example n",
        derivative="∂L/∂x = (u − mean(u) − x̂·mean(u·x̂))/√(σ² + ε),   u = γ⊙∂L/∂y",
        gradient=Words(
            "The gradient loses its mean and its part along x̂ in each example and is divided by the example's σ: large activations send small gradients back. Before a residual branch (pre-norm) it leaves the path x + f(x) untouched; after the sum (post-norm) it divides the path at every block.",
            "每个样本的梯度被去掉均值和沿 x̂ 的分量，再除以该样本的 σ：激活越大，回传的梯度越小。放在残差支路之前（pre-norm）时不触及 x + f(x) 的主路；放在相加之后（post-norm）时每个块都会缩放主路。",
        ),
        cost=Words("2 parameters a feature, no buffers; two passes over the activations", "每个特征 2 个参数，无缓冲区；遍历激活值两次"),
        use=Words("transformers, recurrent networks, any batch size", "Transformer、循环网络、任意批量大小"),
        avoid=Words("convolutional networks whose channels differ in meaning and scale: group or batch normalisation does better", "各通道含义与尺度差异大的卷积网络：组归一化或批归一化更好"),
        torch="torch.nn.LayerNorm",
        code="norm = nn.LayerNorm(6)  # over the last dimension\ny = norm(torch.randn(8, 10, 6))",
        reference="J. L. Ba, J. R. Kiros, G. E. Hinton. Layer Normalization. arXiv:1607.06450, 2016.",
        aliases=("ln",),
        draw=_drawer(_same_example, _normaliser.layer_norm),
        axes=("C", "H", "W"),
        over=Words("channels and positions of each example: C, H, W; in transformers the features of each token", "每个样本的通道与位置：C、H、W；在 Transformer 中为每个词元的特征"),
        parameters=("weight", "bias"),
        buffers=(),
        differs=False,
        modes=_SAME,
        apply=_normaliser.layer_norm,
        shares=_same_example,
        pitfalls=(
            Words("normalized_shape counts from the LAST dimension: on (N, C, L) a LayerNorm(L) mixes positions, not channels.", "normalized_shape 从“最后”一维数起：对 (N, C, L) 用 LayerNorm(L) 归一化的是位置而不是通道。"),
            Words("Two features only: x̂ is ±1 whatever they were.", "只有两个特征时，无论输入如何 x̂ 都是 ±1。"),
        ),
    ),
    Normaliser(
        name="group_norm",
        kind="normalisers",
        title=Words("Group normalisation", "组归一化"),
        formula="x̂ = (x − μ_ng)/√(σ²_ng + ε),   y = γ_c·x̂ + β_c\nμ_ng, σ²_ng over the C/G channels of group g of example n, and all positions",
        derivative="∂L/∂x = (u − mean(u) − x̂·mean(u·x̂))/√(σ² + ε),   u = γ_c·∂L/∂y",
        gradient=Words(
            "As layer normalisation, for each group of channels: no example touches another's gradient, so the batch size does not matter.",
            "与层归一化相同，但按通道组进行：各样本的梯度互不影响，因此与批量大小无关。",
        ),
        cost=Words("2 parameters a channel, no buffers; two passes over the activations", "每个通道 2 个参数，无缓冲区；遍历激活值两次"),
        use=Words("convolutional networks with small batches: detection, segmentation, video, diffusion", "小批量的卷积网络：检测、分割、视频、扩散模型"),
        avoid=Words("large batches in classification, where batch normalisation is often a little better", "大批量分类任务：批归一化往往略好"),
        torch="torch.nn.GroupNorm",
        code="norm = nn.GroupNorm(num_groups=2, num_channels=6)\ny = norm(torch.randn(8, 6, 5, 5))",
        reference="Y. Wu, K. He. Group Normalization. ECCV 2018.",
        aliases=("gn",),
        draw=_drawer(_same_group, partial(_normaliser.group_norm, num_groups=_GROUPS)),
        axes=("C/G", "H", "W"),
        over=Words("the channels of a group and positions, for each example: C/G, H, W", "每个样本中一组通道与位置：C/G、H、W"),
        parameters=("weight", "bias"),
        buffers=(),
        differs=False,
        modes=_SAME,
        apply=_normaliser.group_norm,
        shares=_same_group,
        pitfalls=(
            Words("The number of channels must be divisible by the number of groups; 1 group is layer normalisation, C groups are instance normalisation.", "通道数必须能被组数整除；1 组即层归一化，C 组即实例归一化。"),
        ),
    ),
    Normaliser(
        name="instance_norm",
        kind="normalisers",
        title=Words("Instance normalisation", "实例归一化"),
        formula="x̂ = (x − μ_nc)/√(σ²_nc + ε)\nμ_nc, σ²_nc over the positions of channel c of example n",
        derivative="∂L/∂x = (g − mean(g) − x̂·mean(g·x̂))/√(σ² + ε),   g = ∂L/∂y",
        gradient=Words(
            "The gradient loses its mean and its part along x̂ in every channel of every example: how strong a channel is can not be learned through it, only its pattern.",
            "每个样本的每个通道的梯度都被去掉均值和沿 x̂ 的分量：通道的强弱无法通过它学习，只能学习其空间模式。",
        ),
        cost=Words("no parameters and no buffers by default; two passes over the activations", "默认无参数、无缓冲区；遍历激活值两次"),
        use=Words("style transfer and image generation, where contrast is to be forgotten", "风格迁移与图像生成：需要去除对比度信息"),
        avoid=Words("classification, where a channel's strength tells the class; 1 × 1 maps, where all becomes 0", "分类任务（通道强弱本身携带类别信息）；1 × 1 的特征图（输出全为 0）"),
        torch="torch.nn.InstanceNorm2d",
        code="norm = nn.InstanceNorm2d(6)\ny = norm(torch.randn(8, 6, 5, 5))",
        reference="D. Ulyanov, A. Vedaldi, V. Lempitsky. Instance Normalization: The Missing Ingredient for Fast Stylization. arXiv:1607.08022, 2016.",
        aliases=("in", "InstanceNorm1d", "InstanceNorm3d"),
        draw=_drawer(_same_cell, _normaliser.instance_norm),
        axes=("H", "W"),
        over=Words("positions, for each channel of each example: H, W", "每个样本每个通道的位置：H、W"),
        parameters=(),
        buffers=(),
        differs=False,
        modes=Words("the same in both, unless track_running_stats=True", "两者相同，除非 track_running_stats=True"),
        apply=_normaliser.instance_norm,
        shares=_same_cell,
        pitfalls=(
            Words("affine is False by default, unlike the others': no gain, no bias.", "与其他归一化不同，affine 默认为 False：没有增益和偏置。"),
        ),
    ),
    Normaliser(
        name="rms_norm",
        kind="normalisers",
        title=Words("RMS normalisation", "均方根归一化（RMSNorm）"),
        formula="y = γ⊙x/√(mean(x²) + ε)",
        derivative="∂L/∂x = (u − x̂·mean(u·x̂))/√(mean(x²) + ε),   u = γ⊙∂L/∂y",
        gradient=Words(
            "The gradient loses its part along x̂ and is divided by the root mean square; its mean is kept, unlike in layer normalisation.",
            "梯度被去掉沿 x̂ 的分量，再除以均方根；与层归一化不同，梯度的均值得以保留。",
        ),
        cost=Words("1 parameter a feature, no buffers; one pass over the activations", "每个特征 1 个参数，无缓冲区；遍历激活值一次"),
        use=Words("large transformers, in place of layer normalisation", "大型 Transformer，代替层归一化"),
        avoid=Words("activations with a large common mean: it is not taken away and leaves little room for the rest", "激活值带有较大公共均值时：均值不被减去，其余信息所占比例很小"),
        torch="torch.nn.RMSNorm",
        code="norm = nn.RMSNorm(6)\ny = norm(torch.randn(8, 10, 6))",
        reference="B. Zhang, R. Sennrich. Root Mean Square Layer Normalization. NeurIPS 2019.",
        draw=_drawer(_same_example, _normaliser.rms_norm),
        axes=("C", "H", "W"),
        over=Words("channels and positions of each example: C, H, W; in transformers the features of each token", "每个样本的通道与位置：C、H、W；在 Transformer 中为每个词元的特征"),
        parameters=("weight",),
        buffers=(),
        differs=False,
        modes=_SAME,
        apply=_normaliser.rms_norm,
        shares=_same_example,
        pitfalls=(
            Words("ε is the machine epsilon of the input's type unless set, 1.2e-7 in float32, where others use 1e-5 or 1e-6.", "ε 默认取输入类型的机器精度，float32 为 1.2e-7，而其他实现常用 1e-5 或 1e-6。"),
        ),
    ),
    Normaliser(
        name="weight_norm",
        kind="normalisers",
        title=Words("Weight normalisation", "权重归一化"),
        formula="w = g·v/‖v‖,   one g for each output",
        derivative="∂L/∂g = ∇w·v/‖v‖\n∂L/∂v = g/‖v‖·(∇w − (∇w·v̂)·v̂),   v̂ = v/‖v‖",
        gradient=Words(
            "The gradient of v is orthogonal to v and falls as 1/‖v‖, so that SGD can only lengthen v and brakes itself. Both g and v are trained. Activations are not touched: nothing keeps them from vanishing or exploding but g.",
            "v 的梯度与 v 正交，且按 1/‖v‖ 下降，因此 SGD 只会使 v 变长，从而自我刹车。g 与 v 都参与训练。它不触及激活值：除了 g，没有什么能阻止激活值消失或爆炸。",
        ),
        cost=Words("1 parameter more for each output; a pass over the weights, none over the activations", "每个输出多 1 个参数；遍历权重一次，不遍历激活值"),
        use=Words("recurrent and generative networks, speech synthesis, reinforcement learning: no noise from the batch", "循环网络、生成网络、语音合成、强化学习：不引入批次噪声"),
        avoid=Words("deep networks without a data-dependent initialisation: the scale of the outputs is not fixed", "没有数据相关初始化的深层网络：输出的尺度不受控制"),
        torch="torch.nn.utils.parametrizations.weight_norm",
        code="layer = nn.utils.parametrizations.weight_norm(nn.Linear(6, 4))\ny = layer(torch.randn(8, 6))",
        reference="T. Salimans, D. P. Kingma. Weight Normalization: A Simple Reparameterization to Accelerate Training of Deep Neural Networks. NIPS 2016.",
        aliases=("wn",),
        draw=lambda: (sharing(_same_example, weights=True), *lengths()),
        axes=(),
        over=Words("the incoming weights of each output", "每个输出的全部输入权重"),
        parameters=("original0", "original1"),
        buffers=(),
        differs=False,
        modes=_SAME,
        apply=_normaliser.weight_norm,
        shares=_same_example,
        pitfalls=(
            Words("Weight decay on v shrinks nothing but ‖v‖, which raises its effective rate; only g has a say in the size of w.", "对 v 做权重衰减只会缩小 ‖v‖，反而提高其有效学习率；w 的大小只由 g 决定。"),
            Words("original0 is g, original1 is v.", "original0 是 g，original1 是 v。"),
        ),
    ),
    Normaliser(
        name="spectral_norm",
        kind="normalisers",
        title=Words("Spectral normalisation", "谱归一化"),
        formula="W̄ = W/σ(W),   σ = uᵀ·W·v, the largest singular value\neach forward in training: u ← W·v/‖W·v‖,  v ← Wᵀ·u/‖Wᵀ·u‖",
        derivative="∂L/∂W = (G − ⟨G, W̄⟩·u·vᵀ)/σ,   G = ∂L/∂W̄",
        gradient=Words(
            "No layer can enlarge a signal or a gradient by more than 1 (its Lipschitz constant is 1), so gradients do not explode through the weights; they may well shrink, for all other singular values are below 1.",
            "任何一层都不会把信号或梯度放大超过 1 倍（Lipschitz 常数为 1），因此梯度不会因权重而爆炸；但其余奇异值都小于 1，梯度可能缩小。",
        ),
        cost=Words("no parameters; two vectors of state; two matrix-vector products at each forward in training", "无参数；两个向量的状态；训练时每次前向两次矩阵–向量乘法"),
        use=Words("discriminators of GANs, Lipschitz networks", "GAN 的判别器、Lipschitz 网络"),
        avoid=Words("deep networks that must carry gradients far: many singular values well below 1", "需要远距离传递梯度的深层网络：许多奇异值远小于 1"),
        torch="torch.nn.utils.parametrizations.spectral_norm",
        code="layer = nn.utils.parametrizations.spectral_norm(nn.Linear(6, 4))\ny = layer(torch.randn(8, 6))",
        reference="T. Miyato et al. Spectral Normalization for Generative Adversarial Networks. ICLR 2018.",
        aliases=("sn",),
        draw=lambda: (sharing(_whole, weights=True), iterations()),
        axes=(),
        over=Words("the whole weight matrix (a convolution's laid flat to outputs × the rest)", "整个权重矩阵（卷积核展平为输出 × 其余）"),
        parameters=("original",),
        buffers=("_u", "_v"),
        differs=True,
        modes=Words("training: one power iteration at each forward; evaluation: the vectors stay", "训练：每次前向做一步幂迭代；评估：向量保持不变"),
        apply=_normaliser.spectral_norm,
        shares=_whole,
        pitfalls=(
            Words("For a convolution the flattened matrix's σ is not the operator's norm: the Lipschitz constant may be larger.", "对卷积，展平矩阵的 σ 并非卷积算子的范数：实际 Lipschitz 常数可能更大。"),
            Words("One iteration lags behind weights that move fast, and where σ₂ ≈ σ₁ it converges slowly.", "权重变化快时，一步迭代会滞后；σ₂ ≈ σ₁ 时收敛很慢。"),
        ),
    ),
    Normaliser(
        name="local_response_norm",
        kind="normalisers",
        title=Words("Local response normalisation", "局部响应归一化"),
        formula="y_c = x_c/(k + α/n·Σ x_j²)^β,   j over the n channels around c",
        derivative="∂y_c/∂x_j = δ_cj·s^(−β) − 2αβ/n·x_c·x_j·s^(−β−1),   s = k + α/n·Σ x_j²",
        gradient=Words(
            "Near the identity at PyTorch's α = 1e-4: it damps a channel where its neighbours are strong, keeps no mean or variance fixed, and does nothing against vanishing or exploding.",
            "在 PyTorch 默认的 α = 1e-4 下接近恒等映射：邻近通道强时压低本通道；不固定均值和方差，对梯度消失与爆炸没有作用。",
        ),
        cost=Words("no parameters; a sum over n channels and a power for each value", "无参数；每个值需对 n 个通道求和并做一次幂运算"),
        use=Words("to rebuild AlexNet", "复现 AlexNet"),
        avoid=Words("new networks: batch or group normalisation took its place", "新网络：已被批归一化或组归一化取代"),
        torch="torch.nn.LocalResponseNorm",
        code="norm = nn.LocalResponseNorm(size=5)\ny = norm(torch.randn(8, 6, 5, 5))",
        reference="A. Krizhevsky, I. Sutskever, G. E. Hinton. ImageNet Classification with Deep Convolutional Neural Networks. NIPS 2012.",
        aliases=("lrn",),
        draw=_drawer(_in_window, partial(_normaliser.local_response_norm, size=_WINDOW, alpha=1.0)),
        axes=("C window",),
        over=Words("n neighbouring channels at each position", "每个位置上相邻的 n 个通道"),
        parameters=(),
        buffers=(),
        differs=False,
        modes=_SAME,
        apply=_normaliser.local_response_norm,
        shares=_in_window,
        pitfalls=(
            Words("PyTorch divides α by the size, the paper does not: its α = 1e-4 with n = 5 is alpha=5e-4 here; and k is 1 by default, not the paper's 2.", "PyTorch 把 α 除以窗口大小，论文则没有：论文的 α = 1e-4、n = 5 在此应写 alpha=5e-4；k 默认为 1，而论文取 2。"),
        ),
    ),
)  # fmt: skip
