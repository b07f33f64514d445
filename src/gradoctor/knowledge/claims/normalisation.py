"""Claims on normalisation."""

from __future__ import annotations

from gradoctor.knowledge.claims._claim import Claim
from gradoctor.knowledge.language import Words

CLAIMS: tuple[Claim, ...] = (
    Claim(
        30, "normalisation",
        Words(
            "Normalise the inputs: otherwise units saturate, small values are swallowed by large ones, and "
            "training is slower.",
            "应对输入做归一化：否则神经元容易饱和，数值小的特征会被数值大的特征淹没，训练也更慢。",
        ),
        "true",
        Words(
            "All three are measured. ReLU does not saturate, but for raw inputs its best rate is a hundred "
            "times smaller and it learns worse even so: the mean of 128 makes the loss steep in a few "
            "directions and flat in all others, and at larger rates the units die. Take mean and scale from "
            "the training set alone.",
            "三点均得到实测支持。ReLU 虽不饱和，但面对原始输入，最佳学习率只有百分之一，而且仍学得更差："
            "128 的均值使损失在少数方向上极陡，在其余方向上极平；学习率再大，神经元就会死亡。均值和标准差只应由训练集计算。",
        ),
    ),
    Claim(
        32, "normalisation",
        Words(
            "Local response normalisation, known from AlexNet, sums the squares over n + 1 neighbouring "
            "channels and improves generalisation.",
            "AlexNet 使用的局部响应归一化（LRN）对相邻 n + 1 个通道的平方求和，并能提高泛化能力。",
        ),
        "partly",
        Words(
            "It does sum over channels, at one place. The paper's window from i − n/2 to i + n/2 has n + 1 "
            "channels only for even n; its n = 5 and PyTorch's size mean 5. PyTorch divides α by size: for "
            "the paper's 1e-4 give 5e-4. No better generalisation was found here, in line with later "
            "practice (VGG; Simonyan and Zisserman 2015), which gave LRN up for batch norm.",
            "它确实只在同一位置上沿通道求和。论文的窗口从 i − n/2 到 i + n/2，只有 n 为偶数时才是 n + 1 个通道；论文取 n = 5，"
            "与 PyTorch 的 size = 5 一样，都是 5 个。PyTorch 还会把 α 除以 size：要得到论文的 1e-4，应设为 5e-4。"
            "这里没有测到泛化上的好处，与后来的经验一致（VGG；Simonyan 与 Zisserman，2015），此后 LRN 为批归一化所取代。",
        ),
    ),
    Claim(
        33, "normalisation",
        Words(
            "Batch normalisation can replace dropout and L2 regularisation, allows large learning rates, and "
            "replaces LRN.",
            "批归一化可以取代 dropout 和 L2 正则化，允许使用较大的学习率，并可取代 LRN。",
        ),
        "partly",
        Words(
            "The rates and LRN are right. As a regulariser it did as well as dropout and L2 on clean labels, "
            "where there was little to gain; on labels of which 30 % were drawn at random it memorised them "
            "as fast as a bare network, and dropout with L2 was worth ten points. Treat it as help for "
            "optimisation, and choose regularisation by the validation score.",
            "关于学习率和 LRN 的部分正确。作为正则化手段，在标签干净、本就没有多少提升余地时，它不逊于 dropout 和 L2；"
            "但当 30% 的标签被随机重抽时，它和不加任何处理的网络一样记住了错误标签，而 dropout 加 L2 能带来约十个百分点的提升。"
            "应把它看作优化上的帮助，正则化则按验证集的表现另行选择。",
        ),
    ),
    Claim(
        34, "normalisation",
        Words(
            "Batch normalisation widens the range of learning rates so far that any rate, small or large, "
            "will do.",
            "批归一化大大放宽了对学习率的要求，学习率取大取小都可以。",
        ),
        "partly",
        Words(
            "The largest rate that works is ten times that without it: weights in front of a batch norm have "
            "no scale that matters, and a large step makes them longer and so the next step relatively "
            "smaller. But the head has no such guard, and at 10 nothing is learnt; a small rate is no faster "
            "with it than without. The rate still has to be tuned.",
            "可用的最大学习率确实提高到十倍：批归一化之前的权重，其尺度不影响输出，步子过大只会使权重变长，"
            "从而使下一步相对变小。但输出层没有这种保护，学习率为 10 时什么也学不到；学习率很小时，有没有批归一化一样慢。"
            "学习率仍需调节。",
        ),
    ),
    Claim(
        35, "normalisation",
        Words(
            "With batch normalisation the arrangement of the training data should be broken up by "
            "shuffling, which is worth about 1 % of accuracy.",
            "使用批归一化时，应彻底打乱训练数据，这样大约能提高 1% 的准确率。",
        ),
        "partly",
        Words(
            "The figure is from one remark in the paper (Ioffe and Szegedy 2015, on ImageNet) about examples "
            "that always share a batch. Here that costs less than a point. But batches sorted by class "
            "ruin the network, by 60 points and more, as its statistics then tell the class; without batch "
            "norm they hardly matter. Shuffle anew each epoch.",
            "这个数字出自论文（Ioffe 与 Szegedy，2015，ImageNet）中的一句话，说的是样本总与同一批样本同组的情形；"
            "在这里，那样的损失不到一个百分点。但若按类别排序成批，网络会彻底失效，损失 60 个百分点以上，"
            "因为批统计量此时泄露了类别；没有批归一化时则几乎没有影响。应当每轮重新打乱。",
        ),
    ),
    Claim(
        36, "normalisation",
        Words(
            "Batch normalisation can not be used in recurrent networks directly, since it needs statistics, "
            "and so memory, for each time step.",
            "批归一化不能直接用于循环神经网络，因为它需要为每个时间步保存统计量，占用内存。",
        ),
        "partly",
        Words(
            "One set of statistics for all steps does fail in evaluation: each step has its own mean and "
            "variance. With a set for each step it works (Cooijmans et al. 2017), at the price of memory in "
            "proportion to the length, and of none for steps beyond the longest sequence seen. Layer norm "
            "needs no statistics and is the usual choice.",
            "所有时间步共用一组统计量，在评估时确实会失效，因为各步的均值和方差并不相同。每步各用一组就能正常工作"
            "（Cooijmans 等，2017），代价是内存与序列长度成正比，而且超出训练中最长序列的时间步没有统计量可用。"
            "层归一化不需要保存统计量，是更常见的选择。",
        ),
    ),
    Claim(
        37, "normalisation",
        Words(
            "Batch normalisation is unsuitable where noise does harm, as in reinforcement learning, GANs and "
            "VAEs; weight normalisation brings less noise.",
            "批归一化不适合对噪声敏感的强化学习、GAN 和 VAE；权重归一化带来的噪声更小。",
        ),
        "partly",
        Words(
            "The noise is real: in small batches an example's gradient depends on its companions as much as "
            "on itself, with weight or group norm not at all. Whether it does harm depends on the task: here "
            "the VAE and the GAN end worse with batch norm, the policy gradient far better. DCGAN (Radford "
            "et al. 2016) uses it with success. Try it, and group or layer norm beside it.",
            "噪声确实存在：批量小时，样本的梯度受同批样本的影响与受自身的影响一样大；用权重归一化或组归一化则完全没有这种影响。"
            "但它是否有害取决于任务：这里 VAE 和 GAN 加批归一化后变差，策略梯度却好得多；"
            "DCGAN（Radford 等，2016）也成功地使用了它。应当实际比较，并与组归一化或层归一化对照。",
        ),
    ),
    Claim(
        38, "normalisation",
        Words(
            "Weight normalisation writes a weight as g·v/‖v‖ with the vector v fixed.",
            "权重归一化把权重写成 g·v/‖v‖，其中向量 v 是固定的。",
        ),
        "false",
        Words(
            "Both g and v are parameters and both are trained; were v fixed, only the lengths of the rows "
            "could be learnt. v's gradient stands at right angles to it, so that under plain gradient "
            "descent v only ever grows longer while it turns (Salimans and Kingma 2016).",
            "g 和 v 都是参数，都参与训练；若 v 固定，就只能学到各行的长度。v 的梯度与 v 垂直，"
            "因此在普通梯度下降中，v 在转动的同时只会越来越长（Salimans 与 Kingma，2016）。",
        ),
    ),
    Claim(
        39, "normalisation",
        Words(
            "Weight normalisation is cheaper than batch normalisation and stores no statistics, but needs "
            "careful initialisation and does not fix the range of a layer's output.",
            "权重归一化比批归一化开销小，也不需要额外存储统计量，但需要仔细初始化，且不能固定每层输出的范围。",
        ),
        "partly",
        Words(
            "All right but for the cost, which depends on what there is more of. Weight norm works on the "
            "weights, batch norm on the activations: it is cheaper for convolutions of many images, and "
            "dearer for wide matrices with few examples. As its start is the network's own, a bad scale "
            "stays bad; use He's scale, or set g from a first batch.",
            "除开销一点外都对。开销取决于权重与激活哪个更多：权重归一化处理的是权重，批归一化处理的是激活。图像较多的卷积用前者更省，"
            "矩阵很宽而样本很少时，前者反而更贵。它的起点就是网络原来的权重，尺度不当会照样保留；"
            "应使用 He 初始化，或用第一个批次来设定 g。",
        ),
    ),
    Claim(
        40, "normalisation",
        Words(
            "Dropout has drawbacks (the notes give this heading only; tested is our reading of it): slower "
            "convergence, a noisier loss, and a shifted variance before batch norm.",
            "dropout 有缺点（笔记只留下标题，这里检验的是我们的理解）：收敛变慢，损失波动变大，"
            "并使其后批归一化所见的方差发生偏移。",
        ),
        "true",
        Words(
            "All three hold. In training the variance is E[x²]/(1 − p) − E[x]², in evaluation E[x²] − E[x]², "
            "so that running statistics do not fit (Li et al. 2019). Put dropout behind the last batch norm. "
            "Slower is not worse: it may be the price of better generalisation (claim 33).",
            "三点都成立。训练时方差为 E[x²]/(1 − p) − E[x]²，评估时为 E[x²] − E[x]²，因此滑动统计量与评估时不符"
            "（Li 等，2019）。应把 dropout 放在最后一个批归一化之后。收敛慢并不等于不好：这可能正是换取更好泛化的代价（见第 33 条）。",
        ),
    ),
)  # fmt: skip
