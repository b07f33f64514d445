"""Claims on initialisation."""

from __future__ import annotations

from gradoctor.knowledge.claims._claim import Claim
from gradoctor.knowledge.language import Words

CLAIMS: tuple[Claim, ...] = (
    Claim(
        17, "initialisation",
        Words(
            "Drawing the weights from a Gaussian helps gradients through; too large weights make them "
            "explode.",
            "用高斯分布初始化权重有助于梯度传播；初始权重过大则会使梯度爆炸。",
        ),
        "partly",
        Words(
            "It is the variance that counts, not the Gaussian: uniform weights and random signs of the same "
            "variance do as well. N(0, 1) explodes by a bit or more a layer at usual widths; N(0, 0.01²) "
            "vanishes as surely, below 1e-20 at 20 layers of 64 units, and with still smaller "
            "weights it is exactly 0 in float32. Scale by the fan-in (He, Xavier).",
            "起作用的是方差，而不是高斯分布：方差相同的均匀分布或随机符号效果一样。在常见宽度下，N(0, 1) 使梯度每层放大"
            "一倍以上；N(0, 0.01²) 同样必然使梯度消失，宽度 64、20 层时低于 1e-20，权重再小则在 float32 中恰为 0。"
            "应按扇入缩放（He、Xavier）。",
        ),
    ),
    Claim(
        41, "initialisation",
        Words(
            "He's and Xavier's initialisation scale the weights by the number of layers.",
            "He 初始化和 Xavier 初始化根据网络的层数来缩放权重。",
        ),
        "false",
        Words(
            "They go by the fans of each layer: variance 2/fan-in (He), 2/(fan-in + fan-out) (Xavier). The "
            "number of layers plays no part in them. It does in schemes for residual networks, which scale "
            "the branches by 1/√depth.",
            "它们依据的是每一层的扇入与扇出：方差为 2/扇入（He）或 2/(扇入 + 扇出)（Xavier），与层数无关。"
            "按深度缩放的是残差网络的一些方案，例如把分支乘以 1/√深度。",
        ),
    ),
    Claim(
        52, "initialisation",
        Words(
            "With weights of 0 all units of a layer stay alike; random weights break the symmetry.",
            "权重初始化为 0 时，同一层的神经元始终相同；随机初始化能打破这种对称性。",
        ),
        "true",
        Words(
            "It holds for any constant, not just 0: from 0.1 the loss does fall, but each layer acts as one "
            "unit. One layer of zeros is harmless as long as its neighbours are random: a head of zeros "
            "learns just as well.",
            "任何常数都如此，并不限于 0：全取 0.1 时损失会下降，但每一层只相当于一个神经元。只要相邻层是随机的，"
            "单独一层为 0 并无害处：输出层从 0 开始，网络照样学得好。",
        ),
    ),
    Claim(
        53, "initialisation",
        Words("Biases may start at 0.", "偏置可以初始化为 0。"),
        "true",
        Words(
            "Random weights break the symmetry already. Biases worth setting are those with a meaning: an "
            "LSTM's forget gate (1 or more), and the last bias at the logarithm of rare classes' shares.",
            "随机权重已经打破了对称性。值得专门设置的是有含义的偏置：LSTM 的遗忘门（取 1 或更大），"
            "以及类别不平衡时取各类占比对数的输出层偏置。",
        ),
    ),
    Claim(
        54, "initialisation",
        Words(
            "Multiplying random weights by 0.01 keeps sigmoid and tanh out of their flat parts, where "
            "learning is slow.",
            "把随机权重乘以 0.01，可以避免 sigmoid 和 tanh 进入学习缓慢的平坦区。",
        ),
        "partly",
        Words(
            "It does, and is good enough for one hidden layer. With six the signal and the gradient shrink "
            "in each layer until nothing is learnt: the loss stays at ln 10. Xavier's scale, which is larger, "
            "learns at every depth tried and saturates no layer to speak of.",
            "确实能避免饱和，一个隐藏层时也够用。但六层时，信号与梯度逐层缩小，什么也学不到：损失停在 ln 10。"
            "尺度更大的 Xavier 初始化在所试的各种深度下都能学习，且几乎没有饱和。",
        ),
    ),
)  # fmt: skip
