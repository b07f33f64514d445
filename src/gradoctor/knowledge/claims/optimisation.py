"""Claims on optimisation."""

from __future__ import annotations

from gradoctor.knowledge.claims._claim import Claim
from gradoctor.knowledge.language import Words

CLAIMS: tuple[Claim, ...] = (
    Claim(
        26, "optimisation",
        Words(
            "The full batch's gradient represents the population better; since gradients differ in size, "
            "one global rate is hard to choose, and Rprop, which uses only signs, suits full batches.",
            "全批量的梯度方向更能代表样本总体；各权重的梯度大小悬殊，难以选定一个全局学习率，"
            "因此全批量适合使用只看梯度符号的 Rprop。",
        ),
        "true",
        Words(
            "All of it is measured: more examples bring the gradient nearer to that of unseen data, few "
            "global rates work, and Rprop with its defaults beats gradient descent at its best rate. A low "
            "training loss is not yet a good model, though, and a full gradient costs as much as many "
            "steps on batches; for large data, batches with Adam or SGD with momentum are the usual choice.",
            "实测全部成立：样本越多，梯度越接近未见数据的梯度；可用的全局学习率很少；Rprop 取默认值即胜过调好学习率的梯度下降。"
            "不过训练损失低并不等于模型好，而且一次全批量梯度的代价抵得上许多次小批量更新；数据量大时，"
            "通常用小批量配合 Adam 或带动量的 SGD。",
        ),
    ),
    Claim(
        27, "optimisation",
        Words(
            "With mini-batches the corrections that Rprop makes for successive batches counteract one "
            "another; RMSprop was made of it for that reason.",
            "采用小批量时，Rprop 对相邻各批所作的修正会相互抵消，因此才有了 RMSprop。",
        ),
        "true",
        Words(
            "Small batches disagree on the sign nearly as often as a coin. At each disagreement Rprop halves "
            "its step, so that it comes to rest far from the minimum; and as it counts signs, nine "
            "gradients of -0.1 and one of 0.9 carry it away although their mean is 0. RMSprop divides by a "
            "running size instead. With large batches (256 here) Rprop works again, and a constant rate "
            "leaves RMSprop too a little above the minimum.",
            "小批量梯度的符号几乎像抛硬币一样不一致。每次符号相反，Rprop 就把步长减半，于是在离最小值很远处就停了下来；"
            "又因为它只计符号，九个 -0.1 和一个 0.9 的均值虽为 0，仍会把它带偏。RMSprop 改为除以梯度大小的滑动均方根。"
            "批量较大时（此处为 256），Rprop 又能正常工作；而学习率不变时，RMSprop 同样会停在略高于最小值处。",
        ),
    ),
    Claim(
        28, "optimisation",
        Words(
            "Within a range, larger batches use memory and hardware better, need fewer iterations per epoch, "
            "and make training oscillate less.",
            "在一定范围内，增大批量能提高内存和硬件的利用率，减少每轮的迭代次数，并减小训练的振荡。",
        ),
        "true",
        Words(
            "The variance of the gradient is proportional to 1/B for independent draws. Throughput rises "
            "only until the processor is busy. Fewer iterations per epoch are also fewer updates: whether "
            "fewer epochs' worth of work reach the same loss is another question (claim 29).",
            "独立抽样时，梯度的方差与 1/B 成正比。吞吐量只在硬件跑满之前随批量上升。每轮迭代次数少，"
            "也意味着更新次数少：达到同样的损失是否更省，是另一个问题（见第 29 条）。",
        ),
    ),
    Claim(
        29, "optimisation",
        Words(
            "Too large a batch needs more memory and more time for the same accuracy, and at some point its "
            "direction no longer improves.",
            "批量过大会占用更多内存，达到同样精度需要更多时间，而且到一定程度后，下降方向不再改善。",
        ),
        "partly",
        Words(
            "More work for the same loss comes from leaving the rate as it was. Below the gradient noise "
            "scale tr(Σ)/|G|² (McCandlish et al. 2018) a larger batch with a larger rate needs "
            "proportionally fewer steps, so almost the same work; above it even the best rate saves hardly "
            "any steps. So measure the noise scale, and tune the rate anew for each batch size.",
            "“达到同样的损失更费”往往是因为学习率没有随批量调整。批量低于梯度噪声尺度 tr(Σ)/|G|²（McCandlish 等，2018）时，"
            "批量与学习率一起增大，步数近乎成比例减少，总计算量几乎不变；超过它之后，即使学习率取到最佳，步数也几乎不再减少。"
            "因此应估计噪声尺度，并对每个批量重新调整学习率。",
        ),
    ),
    Claim(
        67, "optimisation",
        Words(
            "RMSprop in PyTorch takes the square root of the running average before it adds epsilon.",
            "PyTorch 的 RMSprop 先对滑动平均开平方，再加 ε。",
        ),
        "true",
        Words(
            "The update is g/(√v + ε), as in Adam and Adagrad; Adadelta has ε under the root. It matters "
            "when gradients are small: under the root ε = 1e-8 acts like 1e-4 outside, so that values of ε "
            "can not be carried over between libraries that differ in this (TensorFlow's RMSprop had it "
            "under the root).",
            "更新量为 g/(√v + ε)，Adam 和 Adagrad 也是如此；Adadelta 则把 ε 放在根号内。梯度很小时差别明显："
            "根号内的 ε = 1e-8 相当于根号外的 1e-4。因此在做法不同的库之间，ε 的取值不能照搬"
            "（TensorFlow 的 RMSprop 曾把它放在根号内）。",
        ),
    ),
    Claim(
        68, "optimisation",
        Words(
            "LambdaLR sets the rate to the initial rate times a function of the epoch; last_epoch=-1 "
            "records the current rate as the initial one.",
            "LambdaLR 把学习率设为初始学习率乘以一个关于轮数的函数；last_epoch=-1 表示把当前学习率记为初始学习率。",
        ),
        "true",
        Words(
            "The function gives a factor of the initial rate, not of the last one (that is MultiplicativeLR), "
            "and counts calls of step(), which need not be epochs. To resume, load the state of optimizer and "
            "scheduler: with another last_epoch each group must already have an initial_lr.",
            "函数给出的是相对初始学习率的倍数，而不是相对上一个学习率（那是 MultiplicativeLR）；它数的是 step() 的调用次数，"
            "不一定是轮数。恢复训练时应加载优化器和调度器的状态：last_epoch 取其他值时，每个参数组必须已有 initial_lr。",
        ),
    ),
)  # fmt: skip
