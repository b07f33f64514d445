"""Claims on depth."""

from __future__ import annotations

from gradoctor.knowledge.claims._claim import Claim
from gradoctor.knowledge.language import Words

CLAIMS: tuple[Claim, ...] = (
    Claim(
        1, "depth",
        Words(
            "Without a nonlinear activation a network of any depth is a single linear map.",
            "没有非线性激活函数，无论多深的网络都只相当于一个线性映射。",
        ),
        "true",
        Words(
            "A product of matrices is a matrix: the ten layers and their product agree to rounding. "
            "What depth does change in a linear network is the path of the training, not what can be "
            "represented.",
            "矩阵之积仍是矩阵：十层网络与其权重之积只差舍入误差。对线性网络而言，深度只改变训练的路径，"
            "不改变它所能表示的函数。",
        ),
    ),
    Claim(
        2, "depth",
        Words(
            "The sigmoid's derivative is never above 0.25, which it reaches at 0.",
            "sigmoid 的导数不超过 0.25，且在 0 处取到这一最大值。",
        ),
        "true",
        Words(
            "σ′ = σ(1 − σ) is largest where σ = 1/2. Away from 0 it falls exponentially, so 0.25 is the "
            "best case, not the usual one.",
            "σ′ = σ(1 − σ) 在 σ = 1/2 时最大。离开 0 点后它按指数下降，因此 0.25 是最好的情形，而非通常的情形。",
        ),
    ),
    Claim(
        3, "depth",
        Words("0.25 to the power of 20 is about 1.75e-12.", "0.25 的 20 次方约为 1.75e-12。"),
        "false",
        Words(
            "It is 2^-40 = 9.09e-13; the printed figure is nearly twice as large. The point that it was "
            "to make stands: such a product is negligible.",
            "正确值为 2^-40 = 9.09e-13，笔记中的数字几乎大了一倍。不过它要说明的道理仍然成立：这样的乘积小到可以忽略。",
        ),
    ),
    Claim(
        4, "depth",
        Words(
            "In a network of 20 sigmoid layers the gradient of the first layer is 0.25^20 of the last's.",
            "在 20 层的 sigmoid 网络中，首层的梯度是末层的 0.25^20 倍。",
        ),
        "partly",
        Words(
            "0.25^20 leaves the weights out. It is an upper bound only while no weight matrix has a norm "
            "above 1; what is measured depends on their scale and goes from 1e-17 at PyTorch's default to "
            "above 1 with large weights. (The notes call their example an RNN; it is a feed-forward stack.)",
            "0.25^20 忽略了权重。只有当每个权重矩阵的范数都不超过 1 时，它才是上界；实测值取决于权重的尺度，"
            "从 PyTorch 默认初始化下的 1e-17，到权重很大时的 1 以上都有。（笔记把这个例子称作 RNN，其实是前馈网络。）",
        ),
    ),
    Claim(
        5, "depth",
        Words(
            "Gradients vanish because they get smaller and smaller in the forward pass.",
            "梯度消失是指梯度在前向传播中越来越小。",
        ),
        "false",
        Words(
            "There are no gradients in the forward pass. They are computed backwards, from the loss to the "
            "input, and shrink on that way. What can shrink in the forward pass is the signal.",
            "前向传播中还没有梯度。梯度由损失向输入反向计算，并在这条路上变小。前向传播中会变小的是信号（激活值）。",
        ),
    ),
    Claim(
        6, "depth",
        Words(
            "Shallow layers are those near the output, deep layers those near the input.",
            "浅层是靠近输出的层，深层是靠近输入的层。",
        ),
        "false",
        Words(
            "Usage is the other way round: shallow (early, lower) layers are next to the input and deep "
            "(late, upper) ones next to the output. It fits what they compute: the farther from the input, "
            "the more has been composed and the less an affine map of the input explains.",
            "通常的说法恰好相反：浅层（低层）靠近输入，深层（高层）靠近输出。这也符合它们所计算的内容："
            "离输入越远，复合的函数越多，输入的仿射映射能解释的部分就越少。",
        ),
    ),
    Claim(
        7, "depth",
        Words(
            "When gradients vanish, layers near the output update normally while those near the input stand "
            "still, so that the network learns as if it had its last layers only.",
            "梯度消失时，靠近输出的层正常更新，靠近输入的层几乎不动，网络就好像只有最后几层在学习。",
        ),
        "true",
        Words(
            "Freezing the first ten of twenty sigmoid layers changes nothing. But the last layers do not make "
            "a good shallow network: they see what ten or more random layers have left of the input, which "
            "is next to nothing, and the loss stays at the entropy of the labels. Two layers on the pixels "
            "do far better. Adaptive optimizers such as Adam rescale small gradients and hide part of this.",
            "把 20 个 sigmoid 层中的前十层冻结，训练结果毫无变化。但最后几层并不等于一个好的浅层网络："
            "它们看到的是输入经过十几个随机层之后的残余，几乎不含信息，因此损失停在标签的熵附近。直接在像素上训练的"
            "两层网络要好得多。Adam 等自适应优化器会放大微小的梯度，从而掩盖一部分现象。",
        ),
    ),
    Claim(
        8, "depth",
        Words(
            "If the product of derivative and weight is above 1 in each layer the gradient explodes, and "
            "if it is below 1 it vanishes.",
            "若每层的“激活函数导数 × 权重”大于 1，梯度就会爆炸；小于 1，梯度就会消失。",
        ),
        "partly",
        Words(
            "Exact for a chain one unit wide. In a wide layer a gradient is a sum over many paths, so single "
            "weights far below 1 can still make it explode. What decides is χ1 = σ_w²·E[φ′(z)²], with σ_w² "
            "the fan-in times the variance of the weights (Schoenholz et al. 2017).",
            "对宽度为 1 的链，这是严格成立的。在宽层中，梯度是许多路径之和，因此即使单个权重远小于 1，梯度也可能爆炸。"
            "真正起决定作用的是 χ1 = σ_w²·E[φ′(z)²]，其中 σ_w² 等于扇入乘以权重方差（Schoenholz 等，2017）。",
        ),
    ),
    Claim(
        9, "depth",
        Words(
            "Gradients explode when the derivatives of the activations are all above 1.",
            "当激活函数的导数都大于 1 时，梯度会爆炸。",
        ),
        "partly",
        Words(
            "Such an activation does explode at the usual scale of weights, but not with smaller ones. And "
            "hardly any activation in use has derivatives above 1: explosions come from weights that are too "
            "large, with ReLU and even with tanh.",
            "在通常的权重尺度下，这样的激活函数确实会使梯度爆炸，但权重较小时就不会。而且常用激活函数的导数几乎都不超过 1："
            "爆炸来自过大的权重，ReLU 如此，tanh 也是如此。",
        ),
    ),
    Claim(
        10, "depth",
        Words("ReLU solves the problem of vanishing gradients.", "ReLU 解决了梯度消失问题。"),
        "partly",
        Words(
            "Together with He's initialisation it does: the gradient keeps its size in every layer. With "
            "the smaller weights that nn.Linear draws by itself ReLU loses over a bit per layer, and 20 "
            "layers do not learn under SGD. It is activation and initialisation together that count.",
            "与 He 初始化配合时确实如此：各层梯度大小保持不变。但 nn.Linear 默认的权重较小，此时 ReLU 网络的梯度每层损失"
            "一个多比特，20 层网络用 SGD 学不动。起作用的是激活函数与初始化的配合。",
        ),
    ),
    Claim(
        13, "depth",
        Words(
            "With leaky ReLU of slope 0.1 the product of derivatives still shrinks with depth, but it never "
            "becomes 0 and is far better than the sigmoid's.",
            "负半轴斜率为 0.1 的 leaky ReLU，其导数连乘积仍随深度变小，但不会变为 0，远好于 sigmoid。",
        ),
        "partly",
        Words(
            "No gradient is exactly 0, and sigmoid loses two bits a layer more. But with weights scaled for "
            "it (gain √(2/(1 + a²))) the gradient does not shrink: weights make up for the slopes, as with "
            "ReLU. Against vanishing in depth leaky ReLU is no better than ReLU; it helps dead units.",
            "确实没有恰好为 0 的梯度，sigmoid 每层也要多损失约两个比特。但只要权重尺度与之匹配（增益 √(2/(1 + a²))），"
            "梯度并不会变小：与 ReLU 一样，权重弥补了导数。就深度上的梯度消失而言，leaky ReLU 并不比 ReLU 好；"
            "它的好处在于避免神经元死亡。",
        ),
    ),
    Claim(
        14, "depth",
        Words(
            "Because a residual connection adds 1 to the derivative, gradients never vanish, however deep "
            "the network is.",
            "残差连接使导数多出 1，因此无论网络多深，梯度都不会消失。",
        ),
        "partly",
        Words(
            "With random weights they do not, up to 200 layers. But the Jacobian is I + J, not 1 plus "
            "something positive: a branch of -x cancels it. And what does not vanish can explode: branches "
            "at He's scale double the gradient's square in each layer. Scale the branches by 1/√depth, "
            "start them at 0, or normalise.",
            "随机权重下，直到 200 层确实没有消失。但雅可比矩阵是 I + J，并不是 1 加一个正数：分支输出 -x 时就会完全抵消。"
            "而且不消失不等于不爆炸：He 尺度的分支使梯度平方每层翻倍。应把分支乘以 1/√深度、从 0 开始初始化，或加归一化。",
        ),
    ),
    Claim(
        15, "depth",
        Words(
            "Batch normalisation reduces vanishing gradients and speeds training up.",
            "批归一化能缓解梯度消失，并加快训练。",
        ),
        "true",
        Words(
            "It keeps sigmoids in their steep part, and 20 layers of them learn. It is no cure-all: with "
            "ReLU it makes gradients explode with depth, by ½·log2(π/(π − 1)) = 0.276 bits per layer "
            "(Yang et al. 2019), where He's initialisation alone keeps them level.",
            "它使 sigmoid 的输入停留在斜率较大的区间，20 层网络因此能够学习。但它并非万能：与 ReLU 合用时，梯度会随深度"
            "爆炸，每层增长 ½·log2(π/(π − 1)) = 0.276 比特（Yang 等，2019），而单用 He 初始化时梯度大小基本不变。",
        ),
    ),
    Claim(
        16, "depth",
        Words(
            "LSTM relieves the vanishing gradients of recurrent networks.",
            "LSTM 能缓解循环网络的梯度消失。",
        ),
        "partly",
        Words(
            "The path through the cell is as long as the forget gate is open. PyTorch starts it half closed "
            "(biases around 0): the gradient loses about a third of its size at each step back, and the LSTM "
            "forgets sooner than a tanh RNN. With forget biases of log U(1, lag) it remembers through 200 "
            "steps (Tallec and Ollivier 2018).",
            "记忆单元的通路有多长，取决于遗忘门开得多大。PyTorch 默认让它半开（偏置在 0 附近），每回溯一步，梯度约减小"
            "三分之一，这样的 LSTM 甚至比 tanh RNN 忘得更快。把遗忘门偏置取为 log U(1, 时滞)，就能记住 200 步之前的信息"
            "（Tallec 与 Ollivier，2018）。",
        ),
    ),
    Claim(
        18, "depth",
        Words(
            "Vanishing and exploding gradients can be told by looking at the layers' gradients and for NaN.",
            "观察各层梯度、检查是否出现 NaN，就能判断梯度消失或爆炸。",
        ),
        "partly",
        Words(
            "What fails is noticed, but fixed bounds on one look also accuse networks that learn well: with "
            "a zero head (gradients of exactly 0 at first), a small loss under Adam, or a summed loss. The "
            "size of a gradient means nothing by itself. Look at how far weights move relative to their "
            "size, over several steps, and at whether the loss falls.",
            "训练失败的网络都能被察觉，但凭一次检查和固定阈值，也会误报学得很好的网络：输出层初始化为 0（起初梯度恰为 0）、"
            "配合 Adam 的微小损失、求和而非平均的损失。梯度的绝对大小本身说明不了问题。应当看权重相对自身移动了多少、"
            "多看几步，并看损失是否下降。",
        ),
    ),
    Claim(
        42, "depth",
        Words(
            "clip_grad_norm_ with a bound of 1 keeps the total norm of the gradients at or below 1.",
            "以 1 为界的 clip_grad_norm_ 能保证梯度的总范数不超过 1。",
        ),
        "true",
        Words(
            "For finite gradients it does, and keeps their direction. It does not cure what is not finite: "
            "one infinite element becomes NaN and all others 0. error_if_nonfinite=True raises instead.",
            "对有限的梯度确实如此，而且方向不变。但它救不了非有限值：一个无穷大的元素会变成 NaN，其余全部变为 0。"
            "设 error_if_nonfinite=True 可使其直接报错。",
        ),
    ),
    Claim(
        43, "depth",
        Words(
            "L2 regularisation mitigates exploding gradients.",
            "L2 正则化能缓解梯度爆炸。",
        ),
        "partly",
        Words(
            "As a slow brake: over a training it keeps the weights, and with them the bound on the "
            "gradient's growth, from rising. It is no cure: gradients that explode at initialisation do so "
            "before decay has acted, and at usual strengths it needs thousands of steps to halve a weight. "
            "Mend the initialisation, lower the rate, or clip.",
            "它只是缓慢的刹车：在训练过程中抑制权重，从而压低梯度放大倍数的上界。但它不是解药：初始化时就爆炸的梯度，"
            "在衰减起作用之前已经爆炸；按通常的强度，要数千步才能使权重减半。应当修正初始化、降低学习率或裁剪梯度。",
        ),
    ),
)  # fmt: skip
