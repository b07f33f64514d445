"""Claims on activations."""

from __future__ import annotations

from gradoctor.knowledge.claims._claim import Claim
from gradoctor.knowledge.language import Words

CLAIMS: tuple[Claim, ...] = (
    Claim(
        11,
        "activations",
        Words("A sigmoid costs more to compute than a ReLU.", "sigmoid 的计算开销比 ReLU 大。"),
        "partly",
        Words(
            "An exponential and a division do cost more than a comparison. But an activation works on each "
            "number once, while the matrix product before it works on each number a thousand times: in a layer "
            "of ordinary width the difference is lost. (On tensors larger than the cache, and on a GPU, both "
            "mostly wait for memory.) Speed is no reason to choose between them; gradients are.",
            "指数和除法的确比一次比较更费时。但激活函数对每个数只做一次运算，而它前面的矩阵乘法对每个数要做上千次："
            "在普通宽度的层里，这点差别几乎看不出来。（张量大于缓存时，以及在 GPU 上，两者主要都在等待内存。）"
            "选择哪一个不该看速度，而该看梯度。",
        ),
    ),
    Claim(
        12,
        "activations",
        Words(
            "As ReLU sets part of the outputs to 0, it makes a network sparse, which raises its expressiveness and "
            "eases overfitting.",
            "ReLU 把一部分输出置为 0，使网络变得稀疏，从而增强表达能力并缓解过拟合。",
        ),
        "partly",
        Words(
            "Sparse it is. But narrow layers fit random labels less well with ReLU than with activations that give "
            "no zeros, and at the same training loss the test loss is no lower than with leaky ReLU or tanh. The "
            "zeros can save computation and memory; what made deep ReLU nets better is that they can be trained.",
            "稀疏确实如此。但在窄层中，ReLU 拟合随机标签的能力不如不产生零的激活函数；训练损失相同时，其测试损失也不低于 "
            "leaky ReLU 或 tanh。零可以节省计算与内存；深层 ReLU 网络之所以更好，是因为它训练得动。",
        ),
    ),
    Claim(
        22,
        "activations",
        Words(
            "For a binary target the output should be a sigmoid, and the hidden layers ReLU.",
            "二分类任务的输出层应使用 sigmoid，隐藏层应使用 ReLU。",
        ),
        "true",
        Words(
            "A sound default on both counts, though other choices come as close. In PyTorch the sigmoid belongs into "
            "the loss: BCEWithLogitsLoss on raw outputs. A sigmoid followed by BCELoss, or by a squared error, has no "
            "gradient left where the net is surely wrong.",
            "两点都是稳妥的默认选择，不过其他选择也相差不大。在 PyTorch 中，sigmoid 应放进损失里：对原始输出使用 "
            "BCEWithLogitsLoss。若先做 sigmoid 再用 BCELoss 或平方误差，当网络十分确信却错了时，梯度会变成 0。",
        ),
    ),
    Claim(
        23,
        "activations",
        Words(
            "It is an advantage of ReLU that its derivative is 0 for negative inputs.",
            "ReLU 的一个优点是负半轴上的导数为 0。",
        ),
        "false",
        Words(
            "A slope of 0.01 instead makes no difference worth the name in a healthy net, and all the difference "
            "where units have been pushed below 0: those with the slope 0 get no gradient and stay there. What is "
            "good about ReLU is the slope of 1 above 0. (Against a slope of 0.1, which is closer to a linear unit, "
            "ReLU's training loss is a little lower in the healthy net.)",
            "在健康的网络中，把这个 0 换成 0.01 几乎没有差别；而在单元被推到负半轴时差别极大：斜率为 0 的单元得不到梯度，"
            "只能停在那里。ReLU 真正的优点是正半轴斜率为 1。（与斜率 0.1 相比——它更接近线性单元——ReLU 在健康网络中的"
            "训练损失略低一些。）",
        ),
    ),
    Claim(
        24,
        "activations",
        Words(
            "The tanh is excellent and suits nearly all cases; a sigmoid should never be used in a hidden layer.",
            "tanh 表现优异，几乎适合所有场合；隐藏层则绝不应使用 sigmoid。",
        ),
        "partly",
        Words(
            "With its own initialisation and rate tanh is as good as ReLU in small nets, even ten layers deep. "
            "Sigmoid fails in the deep net, but in one hidden layer it does as well as any, and as a gate (highway "
            "networks, LSTM, GRU) it is the right one, for it says how much to let through, from none to all.",
            "只要初始化和学习率合适，tanh 在小网络中与 ReLU 不相上下，十层也不例外。sigmoid 在深层网络中失败，但在单个隐藏层里"
            "并不逊色；作为门控（highway 网络、LSTM、GRU），它正是合适的选择，因为它表示放行的比例，从 0 到 1。",
        ),
    ),
    Claim(
        25,
        "activations",
        Words(
            "When neurons die, replace ReLU by leaky ReLU.",
            "出现神经元死亡时，应改用 leaky ReLU。",
        ),
        "partly",
        Words(
            "It helps where units start or are pushed below 0 and the training is sound otherwise. Where they die of "
            "a learning rate that is too large it makes things worse: leaky units pass the huge gradients on, and "
            "the training diverges where ReLU's falls silent. Lower the rate first; then either activation will do.",
            "如果单元是因初值等原因落在负半轴，而训练本身没有问题，改用它有帮助。如果死亡的原因是学习率过大，改用它反而更糟："
            "leaky 单元会把巨大的梯度继续传下去，ReLU 只是沉默，它却会发散。应先降低学习率；之后两种激活函数都可以。",
        ),
    ),
    Claim(
        31,
        "activations",
        Words(
            "An activation is saturated, and passes no gradient, when its output is close to 0 or 1.",
            "激活函数的输出接近 0 或 1 时即处于饱和状态，梯度无法通过。",
        ),
        "partly",
        Words(
            "So it is for the sigmoid. The tanh saturates at -1 and 1, and an output near 0 is where it passes "
            "the gradient whole; ReLU has the slope 1 at an output of 1. What counts is how far the input lies "
            "on a flat part, not the output's value.",
            "对 sigmoid 的确如此。tanh 在 -1 和 1 处饱和，输出接近 0 时梯度恰恰能完整通过；ReLU 输出为 1 时斜率也是 1。"
            "关键在于输入是否落在曲线的平坦部分，而不是输出的数值。",
        ),
    ),
    Claim(
        44,
        "activations",
        Words(
            "ELU and leaky ReLU keep a small positive slope where the input is negative.",
            "ELU 和 leaky ReLU 在负半轴上保留一个小的正斜率。",
        ),
        "partly",
        Words(
            "Leaky ReLU does, everywhere. ELU's slope is e^x: close to 1 just below 0, where it is not small, and "
            "next to nothing further down. ELU saturates at -1 on purpose, and a unit pushed far below 0 is as "
            "good as dead.",
            "leaky ReLU 处处如此。ELU 的斜率是 e^x：在 0 附近接近 1，并不小；再往下则趋近于 0。ELU 有意在 -1 处饱和，"
            "因此被推到很负处的单元与死亡单元无异。",
        ),
    ),
    Claim(
        46,
        "activations",
        Words(
            "In a hidden layer tanh is always better than the sigmoid.",
            "在隐藏层中，tanh 总是优于 sigmoid。",
        ),
        "partly",
        Words(
            "The deeper the net, the truer; with one hidden layer they are equal once each has its own rate, and as "
            "a gate the sigmoid is better. A sigmoid net can compute whatever a tanh net does, with doubled weights "
            "and moved biases: tanh is not more powerful, it is easier to train, since its slope at 0 is 1 and its "
            "outputs are centred.",
            "网络越深，此话越对；只有一个隐藏层时，若各用合适的学习率，两者相当；作为门控，则是 sigmoid 更好。把权重加倍并移动偏置，"
            "sigmoid 网络就能算出与 tanh 网络完全相同的函数：tanh 并不更强，只是更容易训练，因为它在 0 处斜率为 1，"
            "输出以零为中心。",
        ),
    ),
    Claim(
        47,
        "activations",
        Words("The tanh is the sigmoid, shifted.", "tanh 就是平移后的 sigmoid。"),
        "false",
        Words(
            "tanh(x) = 2σ(2x) − 1: squeezed sideways by two, stretched upwards by two, then shifted. No shift "
            "alone can do it, as the sigmoid's outputs span 1 and those of tanh span 2. The stretch matters: it "
            "makes the slope at 0 four times as steep, 1 instead of 0.25.",
            "tanh(x) = 2σ(2x) − 1：先横向压缩到一半、纵向拉伸两倍，再平移。仅靠平移办不到，因为 sigmoid 的值域宽 1，"
            "而 tanh 的值域宽 2。伸缩很要紧：它使 0 处的斜率变为四倍，由 0.25 变成 1。",
        ),
    ),
    Claim(
        48,
        "activations",
        Words(
            "The derivatives are a(1 − a) for the sigmoid and 1 − a² for tanh, with a the output; 0 or 1 for ReLU; "
            "0.01 or 1 for leaky ReLU.",
            "设输出为 a，则 sigmoid 的导数为 a(1 − a)，tanh 的导数为 1 − a²；ReLU 的导数为 0 或 1，"
            "leaky ReLU 的导数为 0.01 或 1。",
        ),
        "true",
        Words(
            "All four agree with autograd. The first two need nothing but the output, which is what PyTorch keeps "
            "for the backward pass.",
            "四个公式都与自动求导一致。前两个只需要输出值，PyTorch 为反向传播保存的也正是输出。",
        ),
    ),
    Claim(
        49,
        "activations",
        Words(
            "That a pre-activation is exactly 0, where ReLU has no derivative, practically never happens.",
            "预激活值恰好为 0（ReLU 在此不可导）的情况实际上几乎不会出现。",
        ),
        "partly",
        Words(
            "With random weights and biases it does not. But zeros come in by other doors: blank pixels and "
            "padding where there is no bias, dropout, layers below that are silent, and weights that start at 0. "
            "There it matters what the framework takes for the derivative at 0.",
            "权重和偏置随机时的确不会。但零会从别处进来：没有偏置时的空白像素与填充、dropout、下方沉默的层，"
            "以及初始化为 0 的权重。这时，框架在 0 处取什么导数就有影响了。",
        ),
    ),
    Claim(
        50,
        "activations",
        Words(
            "Leaky ReLU usually does better than ReLU, and both converge much faster than sigmoid and tanh.",
            "leaky ReLU 通常优于 ReLU，而且两者的收敛都比 sigmoid 和 tanh 快得多。",
        ),
        "partly",
        Words(
            "Much faster than the sigmoid, yes. Leaky ReLU is hardly ever slower than ReLU, and not by much faster "
            "where no units die. And a tanh that is well initialised and has its own rate is faster than both on "
            "this small task; Krizhevsky et al. (2012) saw the opposite with a large net.",
            "比 sigmoid 快得多，确实如此。leaky ReLU 几乎从不比 ReLU 慢，但在没有单元死亡时也快不了多少。而初始化得当、"
            "学习率合适的 tanh 在这个小任务上比两者都快；Krizhevsky 等（2012）在大网络上看到的则相反。",
        ),
    ),
    Claim(
        55,
        "activations",
        Words(
            "The sigmoid's outputs are not centred at zero, which slows convergence.",
            "sigmoid 的输出不以零为中心，这会减慢收敛。",
        ),
        "true",
        Words(
            "Behind sigmoids all incoming weights of a unit are pushed the same way by each example, so they can "
            "only zigzag towards a target that asks for both. Taking off 1/2, which changes no slope, makes the nets "
            "learn faster, the more so the deeper they are (LeCun et al. 1998).",
            "在 sigmoid 之后，每个样本都把一个单元的所有输入权重推向同一方向；如果目标要求有增有减，就只能走之字形。"
            "仅仅减去 1/2（斜率不变），网络就学得更快，而且越深越明显（LeCun 等，1998）。",
        ),
    ),
    Claim(
        56,
        "activations",
        Words(
            "With a large learning rate 40 % of the ReLUs may die; with a small one that is rare.",
            "学习率过大时可能有 40% 的 ReLU 死亡；学习率较小时则很少发生。",
        ),
        "true",
        Words(
            "The share goes from about 1 % to nearly all within a factor of three of the rate; where 40 % are dead "
            "the accuracy is already falling. The rate at which it starts depends on depth, data and "
            "initialisation, so count the units that are silent on a whole batch rather than trust a number.",
            "学习率只差三倍，死亡比例就能从约 1% 升到几乎全部；死亡 40% 时，准确率已经开始下降。从多大的学习率开始取决于"
            "深度、数据和初始化，因此应统计在整个批次上都沉默的单元，而不要迷信某个数值。",
        ),
    ),
    Claim(
        57,
        "activations",
        Words(
            "The gradient of a dead ReLU is 0, and so it stays for ever.",
            "死亡的 ReLU 梯度为 0，而且永远如此。",
        ),
        "partly",
        Words(
            "Its own weights get no gradient, and in the first layer, whose inputs are the data, no training brings "
            "it back. In later layers the units below go on learning, and what they send can lift it above 0 again: "
            "a good part returns. Weight decay does not help, as it shrinks weights and bias alike and leaves the "
            "sign.",
            "它自己的权重确实得不到梯度；第一层的输入就是数据，因此那里的死亡单元不会复活。但在后面的层，下方的单元仍在学习，"
            "它们送来的信号可能把它重新推到 0 以上：相当一部分会复活。权重衰减没有帮助，因为它把权重和偏置一起缩小，符号不变。",
        ),
    ),
    Claim(
        58,
        "activations",
        Words(
            "PyTorch takes 0 for the derivative of ReLU at 0.",
            "PyTorch 规定 ReLU 在 0 处的导数为 0。",
        ),
        "true",
        Words(
            "It does for its own ReLU. The same function written otherwise has another one: clamp(min=0) gives 1, "
            "maximum(x, 0) gives 0.5. Any value from 0 to 1 is a subgradient; it only matters where exact zeros "
            "are common.",
            "PyTorch 自带的 ReLU 如此。同一个函数换一种写法，导数就不同：clamp(min=0) 给出 1，maximum(x, 0) 给出 0.5。"
            "0 到 1 之间的任何值都是次梯度；只有在恰好为 0 的值很常见时才有影响。",
        ),
    ),
    Claim(
        59,
        "activations",
        Words(
            "Leaky ReLU mends the fault of ReLU that it is not differentiable at 0.",
            "leaky ReLU 解决了 ReLU 在 0 处不可导的问题。",
        ),
        "false",
        Words(
            "The slope still jumps at 0, from a to 1, so there is no derivative there either. What leaky ReLU mends "
            "is the zero slope below 0. ELU (with α = 1), softplus and GELU are differentiable at 0. For training "
            "the kink hardly matters.",
            "斜率在 0 处仍从 a 跳到 1，所以那里同样不可导。leaky ReLU 解决的是负半轴斜率为 0 的问题。"
            "ELU（α = 1）、softplus 和 GELU 在 0 处可导。对训练而言，这个折点几乎没有影响。",
        ),
    ),
    Claim(
        60,
        "activations",
        Words("Leaky ReLU is max(ax, x).", "leaky ReLU 就是 max(ax, x)。"),
        "partly",
        Words(
            "Only for slopes a of at most 1. Beyond, the maximum picks the other line on both sides. PyTorch "
            "computes x for x > 0 and ax otherwise, whatever a is; so does PReLU, whose a is learned and may grow "
            "past 1.",
            "仅当斜率 a ≤ 1 时成立。a 更大时，取最大值在两侧都会选中另一条直线。PyTorch 的算法是：x > 0 时取 x，"
            "否则取 ax，与 a 的大小无关；PReLU 也是如此，其中的 a 由学习得到，可能超过 1。",
        ),
    ),
    Claim(
        61,
        "activations",
        Words(
            "RReLU draws its slope at random between two bounds, such as 0.1 and 0.3, both excluded.",
            "RReLU 的斜率在两个界限（例如 0.1 和 0.3，均不含端点）之间随机抽取。",
        ),
        "partly",
        Words(
            "In training it does, one draw for each number of the input; in float32 a draw can round to a bound. In "
            "eval mode nothing is random: the slope is the mean of the bounds. PyTorch's own bounds are 1/8 and "
            "1/3.",
            "训练时确实如此，而且对输入中的每个数各抽一次；在 float32 下，抽到的值可能舍入到端点上。评估模式下没有随机性："
            "斜率取两个界限的均值。PyTorch 默认的界限是 1/8 和 1/3。",
        ),
    ),
    Claim(
        62,
        "activations",
        Words(
            "PReLU's num_parameters is 1 or the number of channels, which is the input's second dimension.",
            "PReLU 的 num_parameters 只能是 1 或通道数，即输入的第二维大小。",
        ),
        "true",
        Words(
            "So it is; the notes' own calls with 2 and 4 on an input of shape [4, 3] stop with an error. Beware of "
            "sequences: with an input (batch, time, features) the second dimension is time. An input of one "
            "dimension takes 1 only.",
            "确实如此；笔记自己的例子对形状为 [4, 3] 的输入使用 2 和 4，会直接报错。处理序列时要当心：输入为"
            "（批量，时间，特征）时，第二维是时间。一维输入只接受 1。",
        ),
    ),
    Claim(
        63,
        "activations",
        Words(
            "The slope a of PReLU is learned by the framework along with the weights.",
            "PReLU 的斜率 a 会由框架与权重一起学习。",
        ),
        "true",
        Words(
            "It is a parameter that starts at 0.25; autograd gives its gradient and the optimizer moves it, as long "
            "as the optimizer was given model.parameters(). Leave it out of weight decay, which would pull it "
            "towards plain ReLU (He et al. 2015).",
            "它是一个初值为 0.25 的参数：自动求导给出梯度，优化器负责更新，前提是把 model.parameters() 交给了优化器。"
            "不要对它做权重衰减，否则它会被拉向普通的 ReLU（He 等，2015）。",
        ),
    ),
    Claim(
        64,
        "activations",
        Words(
            "Softplus is log(1 + e^(βx))/β, and LogSigmoid is log(1/(1 + e^(-x))).",
            "softplus 为 log(1 + e^(βx))/β，LogSigmoid 为 log(1/(1 + e^(-x)))。",
        ),
        "true",
        Words(
            "Both hold; past βx = 20 PyTorch returns x itself, 2e-9 off. LogSigmoid is softplus upside down: "
            "-softplus(-x). Call it rather than log(sigmoid(x)), which is -inf as soon as the sigmoid underflows.",
            "两式都成立；βx 超过 20 后 PyTorch 直接返回 x，误差为 2e-9。LogSigmoid 是 softplus 的翻转：-softplus(-x)。"
            "应直接调用它，而不要写 log(sigmoid(x))：sigmoid 一旦下溢，后者就成了 -inf。",
        ),
    ),
    Claim(
        65,
        "activations",
        Words(
            "Maxout gives f(x) = (w1 x + b, w2 x + b).",
            "maxout 的公式是 f(x) = (w1 x + b, w2 x + b)。",
        ),
        "false",
        Words(
            "The maximum is missing, and with it the nonlinearity: what is printed is a linear layer of twice the "
            "width. And each map has a bias of its own; with one for both the kink is always at x = 0. It should "
            "read max(w1 x + b1, w2 x + b2) (Goodfellow et al. 2013).",
            "式中漏掉了 max，也就没有了非线性：照这样写只是一个宽度加倍的线性层。而且每个映射各有自己的偏置；"
            "若共用一个偏置，折点总在 x = 0 处。正确的写法是 max(w1 x + b1, w2 x + b2)（Goodfellow 等，2013）。",
        ),
    ),
    Claim(
        69,
        "activations",
        Words(
            "With SGD a ReLU net converges much faster than one of sigmoid or tanh.",
            "使用 SGD 时，ReLU 网络的收敛比 sigmoid 或 tanh 网络快得多。",
        ),
        "partly",
        Words(
            "Than sigmoid, yes. The factor of six over tanh is that of Krizhevsky et al. (2012), for one convolutional "
            "net on CIFAR-10. In our small one, where each activation has the initialisation and the rate that suit "
            "it, tanh is the faster; how they compare depends on the net, the data and the initialisation.",
            "比 sigmoid 快，确实如此。“比 tanh 快六倍”出自 Krizhevsky 等（2012），是一个卷积网络在 CIFAR-10 上的结果。在我们的"
            "小网络中，若各用合适的初始化和学习率，反而是 tanh 更快；孰快孰慢取决于网络、数据和初始化。",
        ),
    ),
    Claim(
        70,
        "activations",
        Words(
            "With inplace=True an activation overwrites its input.",
            "设置 inplace=True 后，激活函数会覆盖其输入。",
        ),
        "true",
        Words(
            "The output is the input's own memory. Autograd notices when the overwritten values are needed for a "
            "gradient (after sigmoid, tanh or exp) and stops. What it cannot notice is that you still wanted "
            "the old values yourself, as in a residual sum: the result is silently wrong.",
            "输出就占用输入的内存。如果被覆盖的值在求梯度时还要用到（例如前一步是 sigmoid、tanh 或 exp），自动求导会察觉并报错。"
            "但如果是你自己还需要旧值，例如残差相加，它就无从察觉：结果悄悄地错了。",
        ),
    ),
)
