"""Regularisers: what holds weights, gradients and confidence down."""

from __future__ import annotations

from gradoctor.knowledge.formulary import _regulariser
from gradoctor.knowledge.formulary._regulariser import Regulariser
from gradoctor.knowledge.formulary._updates import decayed, shrunk
from gradoctor.knowledge.language import Words

_SETUP = "model = nn.Linear(4, 3)\n"
_TRAINING = Words("training only", "只在训练时起作用")

ENTRIES: tuple[Regulariser, ...] = (
    Regulariser(
        name="l2",
        kind="regularisers",
        title=Words("L2 penalty (weight decay in the gradient)", "L2 惩罚（把权重衰减加进梯度）"),
        formula="L' = L + λ/2·‖w‖²\ng' = g + λ·w",
        derivative="∂/∂w (λ/2·‖w‖²) = λ·w",
        gradient=Words(
            "It adds a pull to 0 in proportion to the weight. Under plain SGD that is the factor 1 − η·λ at each step; under Adam it is divided by the gradient's size with the rest, so weights with large gradients hardly decay.",
            "它给梯度加上与权重成正比、指向 0 的拉力。在普通 SGD 下等于每步乘以 1 − η·λ；在 Adam 下它与梯度一起被梯度大小归一化，梯度大的权重几乎不衰减。",
        ),
        cost=Words("one multiplication and one addition a weight, no memory", "每个权重一次乘法、一次加法，不占内存"),
        use=Words("SGD with and without momentum", "带动量或不带动量的 SGD"),
        avoid=Words("Adam and its kin: decay the weights themselves; as a cure for exploding gradients, on which it works far too slowly", "Adam 及其变体：应直接衰减权重；也不要指望它治梯度爆炸，它起效太慢"),
        torch="torch.optim.SGD",
        code=_SETUP
        + "weights = [p for p in model.parameters() if p.ndim > 1]\n"
        "others = [p for p in model.parameters() if p.ndim <= 1]\n"
        "optimizer = torch.optim.SGD([{'params': weights, 'weight_decay': 1e-4}, {'params': others}], lr=0.1)",
        reference="A. Krogh, J. A. Hertz. A Simple Weight Decay Can Improve Generalization. NIPS 1991.",
        aliases=("ridge", "l2_penalty", "l2_regularisation", "l2_regularization"),
        draw=lambda: (_regulariser.decay_alone(), _regulariser.decay_under_adam()),
        acts_on=Words("gradients", "梯度"),
        apply=decayed,
        settings={"weight_decay": Words("λ: 1e-5 to 1e-3 for SGD", "λ：SGD 常取 1e-5 到 1e-3")},
        modes=_TRAINING,
        pitfalls=(
            Words("With λ·‖w‖² in the loss by hand the pull is 2·λ·w: PyTorch's weight_decay stands for λ/2·‖w‖².", "若手工在损失中加 λ·‖w‖²，拉力为 2·λ·w：PyTorch 的 weight_decay 对应的是 λ/2·‖w‖²。"),
            Words("On weights before a normaliser it does not limit the function: it shortens them and so raises their effective rate.", "对归一化之前的权重，它并不限制函数：只会缩短权重，从而提高其有效学习率。"),
            Words("On gains and biases of normalisers it does harm more often than good.", "对归一化的增益和偏置做衰减往往弊大于利。"),
        ),
    ),
    Regulariser(
        name="decoupled_decay",
        kind="regularisers",
        title=Words("Decoupled weight decay", "解耦权重衰减"),
        formula="w ← (1 − η·λ)·w, apart from the gradient's step",
        gradient=Words(
            "The gradient is left alone: every weight shrinks by the same share, whatever its gradient. Under plain SGD it is the same as L2; under momentum or Adam it is not.",
            "不改变梯度：无论梯度大小，每个权重都按同一比例缩小。在普通 SGD 下与 L2 相同；在动量法或 Adam 下则不同。",
        ),
        cost=Words("one multiplication a weight, no memory", "每个权重一次乘法，不占内存"),
        use=Words("Adam, RAdam, NAdam, Muon: wherever steps are normalised", "Adam、RAdam、NAdam、Muon：凡是对步长做归一化的优化器"),
        avoid=Words("biases and gains of normalisers, embeddings of rare words", "偏置、归一化的增益、稀有词的嵌入"),
        torch="torch.optim.AdamW",
        code=_SETUP
        + "weights = [p for p in model.parameters() if p.ndim > 1]\n"
        "others = [p for p in model.parameters() if p.ndim <= 1]\n"
        "groups = [{'params': weights, 'weight_decay': 0.1}, {'params': others, 'weight_decay': 0.0}]\n"
        "optimizer = torch.optim.AdamW(groups, lr=1e-3)",
        reference="I. Loshchilov, F. Hutter. Decoupled Weight Decay Regularization. ICLR 2019.",
        aliases=("weight_decay",),
        draw=lambda: (_regulariser.decay_under_adam(),),
        acts_on=Words("weights", "权重"),
        apply=shrunk,
        settings={"weight_decay": Words("λ: 0.01 to 0.1 with rates near 1e-3; weights forget over about 1/(η·λ) steps", "λ：学习率约 1e-3 时取 0.01 到 0.1；权重的“记忆”约为 1/(η·λ) 步")},
        modes=_TRAINING,
        pitfalls=(
            Words("PyTorch multiplies λ by the rate: a schedule that lowers the rate lowers the decay with it.", "PyTorch 把 λ 乘以学习率：学习率策略降低学习率时，衰减也随之减弱。"),
        ),
    ),
    Regulariser(
        name="dropout",
        kind="regularisers",
        title=Words.same("Dropout"),
        formula="training: y = m⊙x/(1 − p),   m = 0 with probability p, else 1\nevaluation: y = x",
        derivative="∂y/∂x = m/(1 − p)",
        gradient=Words(
            "Gradients of what is dropped are 0, the others grow by 1/(1 − p): right on average, noisier. Convergence takes more steps, and the training loss is higher and rougher than the loss in evaluation.",
            "被丢弃处梯度为 0，其余放大 1/(1 − p) 倍：平均无偏，但噪声更大。收敛需要更多步，训练损失比评估损失更高、波动更大。",
        ),
        cost=Words("a random mask as large as the activations, kept for the backward pass", "与激活值同样大小的随机掩码，须为反向传播保留"),
        use=Words("large fully connected layers and attention on little data", "数据较少时的大型全连接层与注意力层"),
        avoid=Words("before batch normalisation; regression heads; networks that underfit; reinforcement learning", "批归一化之前；回归输出层；欠拟合的网络；强化学习"),
        torch="torch.nn.Dropout",
        code="layer = nn.Dropout(p=0.5)\ny = layer(torch.randn(8, 4))\nlayer.eval()  # from here on it does nothing",
        reference="N. Srivastava et al. Dropout: A Simple Way to Prevent Neural Networks from Overfitting. JMLR, 2014.",
        aliases=("inverted_dropout",),
        draw=_regulariser.dropped_losses,
        acts_on=Words("activations", "激活值"),
        apply=_regulariser.dropout,
        settings={"p": Words("the probability to DROP: 0.1 in transformers, 0.5 in large fully connected layers", "“丢弃”的概率：Transformer 常取 0.1，大型全连接层取 0.5")},
        modes=Words("training drops and scales up by 1/(1 − p) (inverted scaling); evaluation passes everything on", "训练时丢弃并放大 1/(1 − p) 倍（inverted dropout）；评估时原样通过"),
        pitfalls=(
            Words("The variance differs between the modes, by 1/(1 − p) for inputs of mean 0: a batch normalisation after it remembers that of training, so at p = 0.5 its outputs have half the variance in evaluation.", "两种模式下方差不同，均值为 0 的输入相差 1/(1 − p) 倍：其后的批归一化记住的是训练时的方差，p = 0.5 时评估输出的方差只有一半。"),
            Words("A forgotten eval() leaves predictions random; F.dropout has training=True unless told.", "忘记 eval()，预测就是随机的；F.dropout 默认 training=True。"),
            Words("p = 1 gives zeros in training, in value and in gradient.", "p = 1 时训练中输出和梯度全为 0。"),
        ),
    ),
    Regulariser(
        name="label_smoothing",
        kind="regularisers",
        title=Words("Label smoothing", "标签平滑"),
        formula="q = (1 − ε)·onehot + ε/K\nL = −Σₖ qₖ·log pₖ",
        derivative="∂L/∂z = p − q",
        gradient=Words(
            "The gradient does not die with confidence: it changes sign where the right logit stands ln(1 + K·(1 − ε)/ε) above the others (4.5 for ε = 0.1, K = 10), so logits stay bounded.",
            "梯度不会因模型自信而消失：当正确类别的 logit 高出其他类 ln(1 + K·(1 − ε)/ε) 时变号（ε = 0.1、K = 10 时为 4.5），因此 logit 保持有界。",
        ),
        cost=Words("a sum over the classes", "对类别求一次和"),
        use=Words("classification with many classes or doubtful labels", "类别较多或标签不太可靠的分类任务"),
        avoid=Words("distillation from the network that is trained; where probabilities near 0 and 1 must be told apart", "该网络要作蒸馏教师时；需要区分接近 0 和 1 的概率时"),
        torch="torch.nn.CrossEntropyLoss",
        code="criterion = nn.CrossEntropyLoss(label_smoothing=0.1)\nloss = criterion(torch.randn(8, 10), torch.randint(10, (8,)))",
        reference="C. Szegedy et al. Rethinking the Inception Architecture for Computer Vision. CVPR 2016; R. Müller, S. Kornblith, G. Hinton. When Does Label Smoothing Help? NeurIPS 2019.",
        aliases=("soft_labels",),
        draw=_regulariser.smoothed_margins,
        acts_on=Words("targets", "目标"),
        apply=_regulariser.smoothed,
        settings={"label_smoothing": Words("ε: 0.1; it is spread over all K classes, the right one too", "ε：0.1；均摊到全部 K 个类别，包括正确类别")},
        modes=Words("the loss has it in both unless another criterion is used to evaluate", "训练与评估的损失都含有它，除非评估时换用别的准则"),
        pitfalls=(
            Words("The loss no longer falls to 0: its least value is the entropy of q, 0.50 for ε = 0.1, K = 10.", "损失不再能降到 0：其最小值为 q 的熵，ε = 0.1、K = 10 时为 0.50。"),
        ),
    ),
    Regulariser(
        name="clip_by_norm",
        kind="regularisers",
        title=Words("Clipping gradients by norm", "按范数裁剪梯度"),
        formula="g ← g·min(1, c/(‖g‖ + 1e-6)),   ‖g‖ over all parameters together",
        gradient=Words(
            "The direction stays, the length is c at most: one wild batch can not throw the weights far. The proportions between layers stay as they are, so nothing vanishing or exploding with depth is mended.",
            "方向不变，长度至多为 c：一个异常批次不会把权重甩出很远。各层之间的比例不变，因此沿深度的梯度消失或爆炸并没有被治好。",
        ),
        cost=Words("a norm over all gradients; a synchronisation where it is read on the host", "对所有梯度求一次范数；在主机端读取时会引起同步"),
        use=Words("recurrent networks, transformers, reinforcement learning: rare spikes", "循环网络、Transformer、强化学习：偶发的梯度尖峰"),
        avoid=Words("gradients that are large at every step: it then only hides a rate or an initialisation that is wrong", "每一步梯度都很大时：它只会掩盖学习率或初始化的错误"),
        torch="torch.nn.utils.clip_grad_norm_",
        code=_SETUP
        + "model(torch.randn(8, 4)).square().mean().backward()\n"
        "norm = nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)  # the norm before",
        reference="R. Pascanu, T. Mikolov, Y. Bengio. On the difficulty of training recurrent neural networks. ICML 2013.",
        aliases=("clip_grad_norm", "gradient_clipping", "clip"),
        draw=lambda: (_regulariser.clipped_norms(), _regulariser.turned()),
        acts_on=Words("gradients, between backward() and step()", "梯度，在 backward() 与 step() 之间"),
        apply=_regulariser.clip_by_norm,
        settings={"max_norm": Words("c: a little above the usual norm; 1.0 in transformers", "c：略高于平时的范数；Transformer 常取 1.0"),
                  "error_if_nonfinite": Words("raise rather than pass NaN on; False by default", "遇到非有限值时报错而不是继续；默认 False")},
        modes=_TRAINING,
        pitfalls=(
            Words("It does not cure NaN or inf: one inf makes the factor 0, so gradients (inf, 1, 2) become (NaN, 0, 0); one NaN makes all NaN.", "它治不了 NaN 和 inf：一个 inf 使因子变为 0，梯度 (inf, 1, 2) 变成 (NaN, 0, 0)；一个 NaN 则使全部变为 NaN。"),
            Words("With a GradScaler call unscale_ first, or the scaled gradients are clipped.", "使用 GradScaler 时要先调用 unscale_，否则裁剪的是缩放后的梯度。"),
            Words("Under Adam a factor that is the same at every step changes nothing.", "在 Adam 下，若每步的裁剪因子都相同，则毫无影响。"),
        ),
    ),
    Regulariser(
        name="clip_by_value",
        kind="regularisers",
        title=Words("Clipping gradients by value", "按值裁剪梯度"),
        formula="gᵢ ← max(−c, min(c, gᵢ))",
        gradient=Words(
            "Each component is bounded on its own, so the direction turns: of a gradient far above c only the signs are left.",
            "各分量分别受限，方向会改变：远大于 c 的梯度只剩下符号。",
        ),
        cost=Words("two comparisons for each gradient, no norm", "每个梯度两次比较，无需求范数"),
        use=Words("single components that spike", "个别分量出现尖峰时"),
        avoid=Words("where the direction matters: clip by norm instead", "方向重要时：改用按范数裁剪"),
        torch="torch.nn.utils.clip_grad_value_",
        code=_SETUP
        + "model(torch.randn(8, 4)).square().mean().backward()\n"
        "nn.utils.clip_grad_value_(model.parameters(), clip_value=0.5)",
        reference="PyTorch documentation, torch.nn.utils.clip_grad_value_.",
        aliases=("clip_grad_value",),
        draw=lambda: (_regulariser.turned(),),
        acts_on=Words("gradients, between backward() and step()", "梯度，在 backward() 与 step() 之间"),
        apply=_regulariser.clip_by_value,
        settings={"clip_value": Words("c: well above a usual component", "c：明显高于平时的分量")},
        modes=_TRAINING,
        pitfalls=(
            Words("An inf becomes c, but a NaN stays.", "inf 会变成 c，但 NaN 仍是 NaN。"),
            Words("The norm may still be c·√n for n weights.", "n 个权重的范数仍可能达到 c·√n。"),
        ),
    ),
)  # fmt: skip
